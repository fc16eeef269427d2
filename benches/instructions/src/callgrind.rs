//! Runs this program under valgrind's callgrind, which counts instructions.

use std::env;
use std::process::{Child, Command, Stdio};

/// The argument with which this program does one work and ends.
pub(crate) const WORK: &str = "--work";

/// Has glibc use the same `memcpy` and the like on every processor: those of SSE2.
const SAME_MEMCPY: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-SSSE3,-ERMS,-FSRM",
);

/// Returns the instructions of one item of a work: the difference between a run with few items and
/// one with many, divided by the difference of the items. The two runs take place at once.
///
/// # Errors
///
/// The reason, as text for the user.
pub(crate) fn count(work: &str, few: u64, many: u64) -> Result<u64, String> {
    let (short, long) = (start(work, few)?, start(work, many)?);
    let (short, long) = (collected(short), collected(long));
    let items = many - few;
    Ok((long?.saturating_sub(short?) + items / 2) / items)
}

fn start(work: &str, items: u64) -> Result<Child, String> {
    let this = env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(this);
    command.args([WORK, work, &items.to_string()]).env(SAME_MEMCPY.0, SAME_MEMCPY.1);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().map_err(|error| format!("valgrind does not start: {error}; ./x setup installs it"))
}

/// Waits for a run. Returns the number that callgrind prints at its end: `==PID== Collected : N`.
fn collected(run: Child) -> Result<u64, String> {
    let output = run.wait_with_output().map_err(|error| format!("valgrind: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    let number = printed.lines().find_map(|line| line.split_once("Collected : "));
    match number.and_then(|(_, number)| number.trim().parse().ok()) {
        Some(number) if output.status.success() => Ok(number),
        _ => Err(format!("valgrind: {}\n{printed}", output.status)),
    }
}
