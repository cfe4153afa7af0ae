"""What `seg init` recognises in a directory: its images, the kind of its labels, its splits and groups."""
