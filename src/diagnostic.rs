//! Messages about rule and configuration files: a code, a place, what is wrong, and how to mend it.
