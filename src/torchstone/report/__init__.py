"""What people see, made of files alone; nothing here imports torch."""
