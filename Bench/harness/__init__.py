"""What `make bench` is made of; run.py is its entrance."""
