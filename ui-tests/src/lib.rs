//! What the macros say about mistakes: the programs in `ui/` and what rustc prints about them. See the README.
