"""Source code as text: which language a file is in, where its definitions begin and end, what its comments say."""
