//! Checks docs/CONFORMANCE.md: each case names the files whose tests refer to it.

#[path = "architecture/sources.rs"]
#[allow(dead_code, reason = "the rules of architecture.rs use the rest")]
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use sources::{assert_none, everything, root};

/// The libraries whose sources have tests.
const RANKS: [&str; 3] = ["actors", "registry", "supervision"];

/// The files that refer to each case.
type Files = BTreeMap<u16, BTreeSet<String>>;

/// One row of the page.
struct Case {
    number: u16,
    /// The last cell: the files with tests, or the reason why there are none.
    shown_by: String,
}

impl Case {
    /// Returns the files that the row names.
    fn files(&self) -> BTreeSet<String> {
        let code = self.shown_by.split('`').skip(1).step_by(2);
        code.filter(|code| code.ends_with(".rs")).map(str::to_owned).collect()
    }
}

/// Returns the rows of the page's tables that begin with a number.
fn cases(page: &str) -> Vec<Case> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim().strip_prefix('|')?.strip_suffix('|')?.split(" | ").collect();
        let number = cells.first()?.trim().parse().ok()?;
        Some(Case { number, shown_by: cells.last()?.trim().to_owned() })
    });
    rows.collect()
}

/// Returns the numbers of the cases that a file refers to: `fn c048_...`, or `OTP cases 19 to 24`
/// in a comment.
fn references(text: &str) -> BTreeSet<u16> {
    let tests = text.split("fn ").skip(1).flat_map(numbers_of_name);
    // A list may continue in the next line of a comment.
    let comments = text.replace("\n//! ", " ").replace("\n    /// ", " ").replace("\n/// ", " ");
    let named = comments.split("OTP case").skip(1).flat_map(numbers_of_list).collect::<Vec<_>>();
    tests.chain(named).collect()
}

/// Returns 128 and 136 for `c128_c136_an_actor_that_has_ended()`.
fn numbers_of_name(rest: &str) -> Vec<u16> {
    let parts = rest.split('_').map_while(|part| part.strip_prefix('c').filter(|number| number.len() == 3));
    parts.map_while(|number| number.parse().ok()).collect()
}

/// Returns the numbers of a list such as `s 101, 102 and 115 to 117.`
fn numbers_of_list(list: &str) -> Vec<u16> {
    let list = list.trim_start_matches('s').replace(',', " ");
    let mut numbers: Vec<u16> = Vec::new();
    let mut is_range = false;
    for word in list.split_whitespace() {
        let digits = word.trim_end_matches(['.', ':', ';', ')']);
        match digits.parse() {
            Ok(number) => {
                let first = numbers.last().filter(|_| is_range).map_or(number, |last| last + 1);
                numbers.extend(first..=number);
                is_range = false;
            }
            Err(_) if word == "to" => is_range = true,
            Err(_) if word == "and" => {}
            Err(_) => break,
        }
        if digits.len() < word.len() {
            break;
        }
    }
    numbers
}

/// Returns the files that refer to each case.
fn referring() -> Files {
    let mut files = Files::new();
    // This file contains the patterns themselves.
    for source in everything().into_iter().filter(|source| !source.path.ends_with(file!())) {
        let path = source.path.strip_prefix(root()).unwrap_or(&source.path).display().to_string();
        for number in references(&source.text) {
            files.entry(number).or_default().insert(path.clone());
        }
    }
    files
}

fn page() -> Vec<Case> {
    let page = fs::read_to_string(root().join("docs/CONFORMANCE.md")).expect("the page can be read");
    cases(&page)
}

#[test]
fn each_case_names_the_files_whose_tests_refer_to_it() {
    let mut referring = referring();
    let mut wrong = Vec::new();
    for case in page() {
        let number = case.number;
        let (named, found) = (case.files(), referring.remove(&number).unwrap_or_default());
        wrong.extend(named.difference(&found).map(|file| format!("case {number}: no test of it in {file}")));
        wrong.extend(found.difference(&named).map(|file| format!("case {number}: does not name {file}")));
    }
    wrong.extend(referring.iter().map(|(number, files)| format!("case {number} has no row: {files:?}")));
    assert_none("docs/CONFORMANCE.md says which tests show a case", &wrong);
}

#[test]
fn each_case_has_a_test_or_a_reason_and_comes_in_order() {
    let cases = page();
    assert!(cases.len() > 100, "{} cases: look at this test", cases.len());
    let mut wrong = Vec::new();
    for pair in cases.windows(2) {
        if pair[0].number >= pair[1].number {
            wrong.push(format!("case {} comes after {}", pair[1].number, pair[0].number));
        }
    }
    let bare = cases.iter().filter(|case| case.shown_by.is_empty());
    wrong.extend(bare.map(|case| format!("case {} has neither a test nor a reason", case.number)));
    assert_none("each case is shown or explained", &wrong);
}

#[test]
fn references_are_found_in_names_and_in_comments() {
    let found = |text| references(text).into_iter().collect::<Vec<_>>();
    assert_eq!(found("async fn c128_c136_it_is_closed() {"), [128, 136]);
    assert_eq!(found("fn c12_is_no_number() {}\nfn count() {}"), [0; 0]);
    assert_eq!(found("/// OTP cases 19 to 21, and 24: not 25"), [19, 20, 21, 24]);
    assert_eq!(found("//! Monitors. OTP cases 110 to 112,\n//! 116. In 9 ways."), [110, 111, 112, 116]);
}

#[test]
fn rows_are_read_from_tables() {
    let page = "| case | what | shown by |\n|---|---|---|\n| 48 | It ends. | `a.rs`, `b.rs` |\n| 2 | No. | A value. |";
    let cases = cases(page);
    assert_eq!(cases.iter().map(|case| case.number).collect::<Vec<_>>(), [48, 2]);
    assert_eq!(cases[0].files().into_iter().collect::<Vec<_>>(), ["a.rs", "b.rs"]);
    assert_eq!((cases[1].files().len(), cases[1].shown_by.as_str()), (0, "A value."));
}
