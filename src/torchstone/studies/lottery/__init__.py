"""Lottery tickets: does a trained network hold a small one that could have been trained alone?"""
