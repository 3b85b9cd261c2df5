"""One file per source format; each turns files into labelled images.

idx (MNIST's format) · cifar (CIFAR's binary version) · digits (in scikit-learn) · folder (image
files in class folders; layout finds them, picture decodes one, stack joins them) · npz (NumPy
arrays)
"""
