# src/ioctl/ioctl_2011.c: PCI counts VGA
s/DFD_PCI_CONFIG + 1/DFD_PCI_NUM_REGIONS/
