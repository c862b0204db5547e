//! Maps over two lists at once, and over dictionaries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use selvedge::flow::{Flow, Journal, Request, constant, dict_map, map, skip, zip_map};

use super::{everywhere, story};

type Prices = BTreeMap<String, i64>;

fn prices(prices: &[(&str, i64)]) -> Prices {
    prices.iter().map(|&(name, price)| (name.to_owned(), price)).collect()
}

#[test]
fn pairs_are_made_of_lists_of_one_length() {
    let mut flow = Flow::builder("pairs");
    let names = flow.parameter::<Vec<String>>("names");
    let ages = flow.parameter::<Vec<i64>>("ages");
    let told =
        zip_map(names, ages, (constant(1),), |name: &String, age: &i64, more: &i64| match age {
            0 => Err(skip("unborn")),
            age if *age < 0 => anyhow::bail!("{name} is {age}"),
            age => Ok(format!("{name} {}", age + more)),
        });
    let told = flow.add("told", told.items_at_a_time(2));
    let flow = flow.build().unwrap();
    let run = |names: &[&str], ages: &[i64]| {
        let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
        let request = Request::new().with("names", names).with("ages", ages.to_vec());
        everywhere(&flow, &request, |result| match result.value(told) {
            Ok(told) => format!("{told:?}"),
            Err(error) => error.to_string(),
        })
    };
    insta::assert_snapshot!(run(&["ann", "bob", "eve"], &[1, 0, 3]), @r#"["ann 2", "eve 4"]"#);
    insta::assert_snapshot!(run(&["ann", "bob", "eve"], &[1, -2, -3]), @"there is no value of `told`: node `told[1]` failed: bob is -2");
    insta::assert_snapshot!(run(&[], &[]), @"[]");
    insta::assert_snapshot!(run(&["ann"], &[1, 2]), @"there is no value of `told`: node `told` failed: a list of 1 items and one of 2 make no pairs");
}

#[test]
fn what_pairs_and_entries_read_is_recorded() {
    let mut flow = Flow::builder("records");
    let list = flow.parameter_or("list", vec![7_i64]);
    let stock = flow.parameter_or("stock", prices(&[("tea", 3)]));
    let more = flow.node("more", (), || Ok(1_i64));
    flow.add("pairs", zip_map(list, list, (more,), |a: &i64, b: &i64, n: &i64| Ok(a + b + n)));
    flow.add("priced", dict_map(stock, (more,), |_: &String, a: &i64, n: &i64| Ok(a + n)));
    let result = flow.build().unwrap().run(Request::new()).unwrap();
    let mut told: Vec<String> = result
        .records()
        .iter()
        .filter(|record| record.step.contains('['))
        .map(|record| {
            let read = record.inputs.iter().map(|read| {
                let step = read.step.as_ref().map_or("-", |step| step.as_str());
                format!("{} of {step}", read.name)
            });
            format!("{}: {}", record.step, read.collect::<Vec<_>>().join(", "))
        })
        .collect();
    told.sort_unstable();
    insta::assert_snapshot!(told.join("\n"), @r#"
    pairs[0]: param:list[] of param:list, param:list[] of param:list, more of more
    priced["tea"]: param:stock[].key of param:stock, param:stock[] of param:stock, more of more
    "#);
}

#[test]
fn entries_keep_their_keys_whatever_they_are() {
    let mut flow = Flow::builder("entries");
    let stock = flow.parameter::<Prices>("stock");
    let halves = dict_map(stock, (), |name: &String, price: &i64| match price {
        0 => Err(skip("free")),
        price if price % 2 == 1 => anyhow::bail!("{name} costs {price}"),
        price => Ok(price / 2),
    });
    let halves = flow.add("halves", halves.items_at_a_time(1));
    let flow = flow.build().unwrap();
    let told = |stock: &[(&str, i64)]| {
        everywhere(&flow, &Request::new().with("stock", prices(stock)), |result| {
            let steps = result.records().iter().map(|record| record.step.as_str());
            let mut items: Vec<&str> = steps.filter(|step| step.contains('[')).collect();
            items.sort_unstable();
            format!("{:?}\n{}", result.value(halves).map_err(|e| e.to_string()), items.join("\n"))
        })
    };
    let long = "x".repeat(1_000);
    insta::assert_snapshot!(told(&[("tea", 4), ("water", 0), ("", 2)]), @r#"
    Ok({"": 1, "tea": 2})
    halves[""]
    halves["tea"]
    halves["water"]
    "#);
    insta::assert_snapshot!(told(&[("a\"]\n[\u{1b}", 4), (&long, 2)]).replace(&long, "…"), @r#"
    Ok({"a\"]\n[\u{1b}": 2, "…": 1})
    halves["a\"]\n[\u001b"]
    halves[b3:8c7ebc783dc0c1c43db8f4422a42ec988f6c7cafac1f22c1c568d80e24017575]
    "#);
    insta::assert_snapshot!(told(&[("tea", 4), ("milk", 3), ("rum", 9)]), @r#"
    Err("there is no value of `halves`: node `halves[\"milk\"]` failed: milk costs 3")
    halves["milk"]
    halves["rum"]
    halves["tea"]
    "#);
    insta::assert_snapshot!(told(&[]), @"Ok({})");
}

#[test]
fn keys_need_not_be_texts() {
    let mut flow = Flow::builder("numbers");
    let squares = flow
        .node("squares", (), || Ok((0..3_u8).map(|n| (n, n * n)).collect::<BTreeMap<u8, u8>>()));
    let sums = flow.add("sums", dict_map(squares, (), |a: &u8, b: &u8| Ok(u32::from(a + b))));
    let result = flow.build().unwrap().run(Request::new()).unwrap();
    assert_eq!(result.value(sums).unwrap(), &BTreeMap::from([(0, 0), (1, 2), (2, 6)]));
    assert!(result.records().iter().any(|record| record.step.as_str() == "sums[2]"));
}

/// Computes what has not succeeded, and counts that.
#[test]
fn what_succeeded_is_not_computed_again_entry_by_entry() {
    let is_up = Arc::new(AtomicU32::new(0));
    let n_calls = Arc::new(AtomicU32::new(0));
    let mut flow = Flow::builder("again");
    let stock = flow.parameter::<Prices>("stock");
    let names = flow.parameter::<Vec<String>>("names");
    let asks = {
        let (is_up, n_calls) = (Arc::clone(&is_up), Arc::clone(&n_calls));
        move |name: &String| {
            n_calls.fetch_add(1, Ordering::Relaxed);
            anyhow::ensure!(name != "tea" || is_up.load(Ordering::Relaxed) > 0, "no answer");
            Ok(name.len())
        }
    };
    let asks = Arc::new(asks);
    let of_entries = {
        let asks = Arc::clone(&asks);
        dict_map(stock, (), move |name: &String, _: &i64| asks(name))
    };
    let of_entries = flow.add("entries", of_entries);
    let of_pairs =
        flow.add("pairs", zip_map(names, names, (), move |a: &String, _: &String| asks(a)));
    flow.add("lengths", map(of_pairs, (), |n: &usize| Ok(*n)));
    let flow = flow.build().unwrap().in_journal(Journal::in_memory().unwrap());
    let names = vec!["tea".to_owned(), "milk".to_owned()];
    let request = Request::new().with("stock", prices(&[("tea", 3), ("milk", 1)]));
    let first = flow.run(request.with("names", names)).unwrap();
    assert!(!first.succeeded());
    assert_eq!(n_calls.swap(0, Ordering::Relaxed), 4);
    is_up.store(1, Ordering::Relaxed);
    let again = flow.request_of(first.run()).unwrap().going_on_from(first.run());
    let second = flow.run(again).unwrap();
    assert_eq!(n_calls.load(Ordering::Relaxed), 2, "{}", story(&second));
    assert_eq!(second.value(of_entries).unwrap().len(), 2);
}
