//! In and out again: what goes through a pipeline unchanged comes out equal, in order, whatever the
//! compression and the number of workers.

use proptest::prelude::*;
use selvedge::io::jsonl::{self, Sink, Source};
use selvedge::prelude::*;
use selvedge::{Value, json};

use super::{Folder, Row, rows, run};

#[test]
fn typed_rows_are_changed_on_their_way_and_stay_in_order() {
    const N: u32 = 5_000;
    /// A row on its way out.
    #[derive(Event, serde::Serialize)]
    struct Out {
        id: u64,
        square: u64,
    }
    for ending in ["", ".gz", ".zst"] {
        for workers in [1, 2, 4] {
            let folder = Folder::new();
            let (input, output) = (format!("in.jsonl{ending}"), format!("out.jsonl{ending}"));
            let mut writer = jsonl::Writer::atomic(folder.path(&input)).expect("there is room");
            (0..N).for_each(|id| writer.write(&Row { id }).expect("there is room"));
            writer.finish().expect("there is room");
            let builder = Pipeline::builder()
                .processor(Source::<Row>::new("row", folder.path(&input)).at_start())
                .processor(on("square", |cx: &mut Context<'_>, row: &Row| {
                    let id = u64::from(row.id);
                    cx.emit(Out { id, square: id * id });
                    Ok(())
                }))
                .processor(Sink::<Out>::new(folder.path(&output)));
            run(builder.workers(workers)).expect("nothing fails");
            let mut n = 0;
            for value in jsonl::read::<Value>(folder.path(&output)) {
                assert_eq!(value.expect("it is sound"), json!({"id": n, "square": n * n}));
                n += 1;
            }
            assert_eq!(n, u64::from(N), "{ending} on {workers} workers");
        }
    }
}

/// Sends lines through a dynamic source and a dynamic sink, and gives back what comes out.
fn through(lines: &str, ending: &str, workers: usize) -> String {
    let folder = Folder::new();
    folder.put("in.jsonl", lines);
    let output = folder.path(&format!("out.jsonl{ending}"));
    let builder = Pipeline::builder()
        .processor(Source::dynamic("line", folder.path("in.jsonl")).at_start())
        .processor(Sink::dynamic(&output, "line"));
    run(builder.workers(workers)).expect("nothing fails");
    let values = jsonl::read::<Value>(output).map(|value| value.expect("it is sound"));
    values.map(|value| format!("{value}\n")).collect()
}

#[test]
fn the_same_bytes_come_out_where_the_form_is_the_usual_one() {
    let lines = rows(0..300);
    for ending in ["", ".gz", ".zst"] {
        assert_eq!(through(&lines, ending, 2), lines);
    }
    assert_eq!(through("", "", 1), "");
}

/// Any JSON value of a modest size.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_values_come_out_equal(
        values in prop::collection::vec(values(), 0..20),
        ending in prop_oneof![Just(""), Just(".gz"), Just(".zst")],
        workers in 1_usize..4,
    ) {
        let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
        prop_assert_eq!(through(&lines, ending, workers), lines);
    }
}
