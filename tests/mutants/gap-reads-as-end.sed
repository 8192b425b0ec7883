# src/ioctl/file.c: a gap reads as the end of the file
s/before_regions(desc, offset) ? 0 : -EINVAL/0/
