"""Whether everything here is right and fast on a device: parts in processes of their own, and one table of them."""
