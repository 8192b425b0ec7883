# src/ioctl/ioctl_2011.c: the good eventfds of a bad array are taken
s/if (ret || ioctl_take_eventfds(fds, count))/int32_t one = fds[0]; if (!ret \&\& ioctl_take_eventfds(fds, count)) { ret = -EINVAL; if (!ioctl_take_eventfds(\&one, 1)) set_irqs(dev, \&(struct dfd_irq_set){ .flags = action | DFD_IRQ_DATA_EVENTFD, .index = index, .count = 1, .fds = \&one }); } if (ret)/
