"""Can many models built on resampled data be trusted more than one model built on all of it?"""
