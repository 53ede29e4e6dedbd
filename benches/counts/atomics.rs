//! Where a program has atomic read-modify-writes: the instructions of x86-64 that lock.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// Addresses in one file, as the file has them.
pub(crate) type Addresses = Arc<HashSet<u64>>;

/// Whether they can be told from other instructions: elsewhere a read and a write make one together, or not.
pub(crate) const ARE_SEEN: bool = cfg!(target_arch = "x86_64");

/// The addresses in a file of all instructions that lock. None, where it cannot be taken apart.
pub(crate) fn in_file(file: &str) -> Addresses {
    static FILES: Mutex<Option<HashMap<String, Addresses>>> = Mutex::new(None);
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let files = files.get_or_insert_default();
    if let Some(addresses) = files.get(file) {
        return addresses.clone();
    }
    let addresses = Addresses::new(disassemble(file));
    files.insert(file.to_owned(), addresses.clone());
    addresses
}

fn disassemble(file: &str) -> HashSet<u64> {
    let listing = Command::new("objdump")
        .args(["--disassemble", "--no-show-raw-insn", file])
        .output();
    let listing = listing.map_or_else(|_| Vec::new(), |output| output.stdout);
    let text = String::from_utf8_lossy(&listing);
    text.lines()
        .filter_map(|line| line.trim_start().split_once(":\t"))
        .filter(|(_, instruction)| locks(instruction))
        .filter_map(|(address, _)| u64::from_str_radix(address, 16).ok())
        .collect()
}

/// An exchange with memory locks without being told to.
fn locks(instruction: &str) -> bool {
    instruction.starts_with("lock ") || instruction.starts_with("xchg") && instruction.contains('(')
}
