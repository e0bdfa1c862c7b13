//! Arguments -> command -> exit status; nothing else.

fn main() {}
