"""How large should a batch be, and what does a large one cost: accuracy, time, memory, sharp minima?"""
