"""Files in object storage, through fsspec: addresses, access, errors."""
