"""Django's default hasher with fewer iterations: a debug build of Doorward takes many seconds for a million of them."""
from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    iterations = 20_000
