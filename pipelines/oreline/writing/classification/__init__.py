"""Writers of classification data: people and things are made up first, then labelled texts; and labelled sets."""
