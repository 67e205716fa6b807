//! News on the loopback interface.
