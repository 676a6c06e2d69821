//! Path templates and the calls they name.
