//! YAML 1.2 text to a tree of nodes that know their place.
