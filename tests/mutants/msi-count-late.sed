# src/ioctl/ioctl_2011.c: the number of eventfds is checked after they were copied
s/(uint32_t)n > count)/(uint32_t)n > DFD_MAX_IRQ_COUNT)/
