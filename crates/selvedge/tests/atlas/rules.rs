//! The rules by which dependencies resolve, each on a few packages.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::program::Fixture;

/// What the atlas makes of some packages, a line each: `name [provides …]: group group …`, where a
/// group is `this|or|that`. A line may begin with `no size:` or with `size only:`.
///
/// The n-th package has a size of 2 to the power of n, so that a closure's size tells who is in it.
fn check(text: &str) -> String {
    let (mut packages, mut sizes, mut names) = (String::new(), String::new(), Vec::new());
    for (n, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (no_size, line) = line.strip_prefix("no size:").map_or((false, line), |l| (true, l));
        let (size_only, line) =
            line.strip_prefix("size only:").map_or((false, line), |l| (true, l));
        let (head, groups) = line.split_once(':').unwrap_or((line, ""));
        let (name, provides) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
        let provides: Vec<&str> = provides.split_whitespace().collect();
        let depends: Vec<Vec<&str>> =
            groups.split_whitespace().map(|group| group.split('|').collect()).collect();
        if !size_only {
            let package =
                json!({"package": name, "section": "s", "depends": depends, "provides": provides});
            packages += &format!("{package}\n");
        }
        if !no_size {
            sizes += &format!("{}\n", json!({"package": name, "installed_size_kib": 1 << n}));
        }
        names.push(name);
    }
    let fixture = Fixture::with(packages, sizes);
    let report = fixture.run(&["--json", "--workers", "2"]).json();
    let lines = fixture.result("closure.jsonl");
    let results = lines.lines().map(|line| told(&serde_json::from_str(line).unwrap(), &names));
    let orphans: String =
        report["orphans"].as_array().expect("it is a list").iter().map(orphan).collect();
    let (edges, unresolved) = (&report["edges"], &report["unresolved"]);
    format!("{}{orphans}{edges} edges, {unresolved} unresolved", results.collect::<String>())
}

fn told(line: &Value, names: &[&str]) -> String {
    let number = |key: &str| line[key].as_u64().expect("it is a count");
    let is_in = |n: &usize| number("closure_kib") & (1 << n) != 0;
    let closure: Vec<&str> = (0..names.len()).filter(is_in).map(|n| names[n]).collect();
    assert_eq!(number("closure"), closure.len() as u64);
    let (name, dependents) = (line["package"].as_str().expect("a name"), number("dependents"));
    format!("{name} needs {}; {dependents} dependents\n", closure.join(" "))
}

fn orphan(orphan: &Value) -> String {
    let text = |key: &str| orphan[key].as_str().expect("it is text").to_owned();
    format!("{} is missing in {}\n", text("package"), text("missing_in"))
}

#[test]
fn the_first_alternative_that_resolves_is_taken() {
    assert_snapshot!(check("
        user: missing|second|first
        first
        second
    "), @r"
    first needs first; 0 dependents
    second needs second; 1 dependents
    user needs user second; 0 dependents
    1 edges, 0 unresolved
    ");
}

#[test]
fn every_group_counts_and_one_that_resolves_to_nothing_is_unresolved() {
    assert_snapshot!(check("
        user: a b|a missing|nowhere gone
        a
        b
    "), @r"
    a needs a; 1 dependents
    b needs b; 1 dependents
    user needs user a b; 0 dependents
    2 edges, 2 unresolved
    ");
}

#[test]
fn a_package_goes_before_those_that_provide_its_name() {
    assert_snapshot!(check("
        user: mail
        a-provider mail
        mail
    "), @r"
    a-provider needs a-provider; 0 dependents
    mail needs mail; 1 dependents
    user needs user mail; 0 dependents
    1 edges, 0 unresolved
    ");
}

#[test]
fn of_several_providers_the_first_in_byte_order_is_taken() {
    // In byte order capitals go before small letters, and `b10` before `b9`.
    assert_snapshot!(check("
        user: mail shell
        a mail
        Z mail
        b9 shell
        b10 shell
        é mail
    "), @r"
    Z needs Z; 1 dependents
    a needs a; 0 dependents
    b10 needs b10; 1 dependents
    b9 needs b9; 0 dependents
    user needs user Z b10; 0 dependents
    é needs é; 0 dependents
    2 edges, 0 unresolved
    ");
}

#[test]
fn an_alternative_that_is_provided_goes_before_a_later_one_that_is_real() {
    assert_snapshot!(check("
        user: virtual|real
        real
        z virtual
    "), @r"
    real needs real; 0 dependents
    user needs user z; 0 dependents
    z needs z; 1 dependents
    1 edges, 0 unresolved
    ");
}

#[test]
fn a_dependency_on_itself_is_dropped() {
    // By its name, by what it provides, and by an alternative: the group is resolved by that.
    assert_snapshot!(check("
        a: a
        b self: self
        c: c|a
    "), @r"
    a needs a; 0 dependents
    b needs b; 0 dependents
    c needs c; 0 dependents
    0 edges, 0 unresolved
    ");
}

#[test]
fn a_provider_that_needs_what_it_provides_may_need_another() {
    assert_snapshot!(check("
        b mail: mail
        a mail
    "), @r"
    a needs a; 1 dependents
    b needs b a; 0 dependents
    1 edges, 0 unresolved
    ");
}

#[test]
fn duplicates_count_once() {
    assert_snapshot!(check("
        user: a a|b virtual missing|a
        a virtual
        b
    "), @r"
    a needs a; 1 dependents
    b needs b; 0 dependents
    user needs user a; 0 dependents
    1 edges, 0 unresolved
    ");
}

#[test]
fn members_of_a_cycle_need_each_other() {
    assert_snapshot!(check("
        a: b
        b: c
        c: a d
        d
        user: b
    "), @r"
    a needs a b c d; 3 dependents
    b needs a b c d; 3 dependents
    c needs a b c d; 3 dependents
    d needs d; 4 dependents
    user needs a b c d user; 0 dependents
    5 edges, 0 unresolved
    ");
}

#[test]
fn what_is_reached_on_two_ways_counts_once() {
    assert_snapshot!(check("
        top: left right
        left: bottom
        right: bottom
        bottom
    "), @r"
    bottom needs bottom; 3 dependents
    left needs left bottom; 1 dependents
    right needs right bottom; 1 dependents
    top needs top left right bottom; 0 dependents
    4 edges, 0 unresolved
    ");
}

#[test]
fn a_package_in_one_stream_only_is_reported_and_takes_no_part() {
    assert_snapshot!(check("
        user: mail ghost|real nobody
        no size: a mail
        b mail
        size only: ghost
        real
        no size: nobody
        no size: Zero: user
        size only: aaa
    "), @r"
    b needs b; 1 dependents
    real needs real; 1 dependents
    user needs user b real; 0 dependents
    Zero is missing in sizes
    a is missing in sizes
    aaa is missing in packages
    ghost is missing in packages
    nobody is missing in sizes
    2 edges, 1 unresolved
    ");
}

#[test]
fn names_are_compared_byte_by_byte_and_as_they_are() {
    assert_snapshot!(check("
        user: Lib lib\u{301}
        lib
        LIB
        li\u{301}b
    "), @r"
    LIB needs LIB; 0 dependents
    lib needs lib; 0 dependents
    líb needs líb; 0 dependents
    user needs user; 0 dependents
    0 edges, 2 unresolved
    ");
}
