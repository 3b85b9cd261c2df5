"""One file per source format; each turns files into labelled images.

idx (MNIST's format) · cifar (CIFAR's binary version) · digits (in scikit-learn) · npz (NumPy) ·
files (image files: layout lists those in class folders, table those of a CSV or Parquet file;
picture decodes one, decoding many, workers helps it, survey looks at all, stack joins them)
"""
