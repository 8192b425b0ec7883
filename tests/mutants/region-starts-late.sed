# src/ioctl/file.c: the first byte of a region belongs to nobody
s/offset < r->offset ||/offset <= r->offset ||/
