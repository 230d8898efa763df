"""Generative adversarial networks: does the counterfeiter learn to fool the police, when, and how would we know?"""
