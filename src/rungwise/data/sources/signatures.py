"""What a file is by its first bytes, whatever its name says.

Source: the formats' own descriptions; https://en.wikipedia.org/wiki/List_of_file_signatures.
"""

import re

HEAD_BYTES = 1024

_PATTERNS = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "PPM": rb"P[1-6]\s+[#\d]",
    "HEIC": rb".{4}ftyp(hei|hev|mif1|msf1)",
    "AVIF": rb".{4}ftypavi[fs]",
    "MP4": rb".{4}ftyp",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "ICO": rb"\0\0[\x01\x02]\0[^\0]",
    "TGA": rb"\0[\0\x01][\x01-\x03\x09-\x0b]\0{5}",
    "PSD": rb"8BPS",
    "PDF": rb"%PDF",
    "PostScript": rb"%!PS",
    "ZIP": rb"PK\x03\x04",
    "Parquet": rb"PAR1",
    "NumPy": rb"\x93NUMPY",
    "a Git LFS pointer (`git lfs pull` gets the file)": rb"version https://git-lfs",
    "SVG": rb"\s*<.{0,900}?<svg|\s*<svg",
    "HTML": rb"(?i:\s*<(!doctype html|html))",
}
_FORMS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _PATTERNS.items()}


def format_of(head: bytes) -> str | None:
    r"""Return the format of a file that begins with `head`; None where it is not known.

    >>> format_of(b"\xff\xd8\xff\xe0"), format_of(b"path,label")
    ('JPEG', None)
    """
    return next((name for name, form in _FORMS.items() if form.match(head)), None)
