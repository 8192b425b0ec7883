# src/ioctl/ioctl_vfio.c: an absent VGA region answers with size 0
s/info.index > DFD_PCI_CONFIG/info.index > DFD_PCI_VGA/
