//! Results that were kept in an older version of the type they hold.

use std::sync::Arc;

use selvedge::prelude::*;
use selvedge::store::Memory;
use serde::{Deserialize, Serialize};

#[derive(Event, Serialize, Deserialize)]
struct Article(String);

mod first {
    use super::*;

    /// In units.
    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "tests::Price")]
    pub(super) struct Price(pub(super) f64);
}

mod second {
    use super::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "tests::Price", version = 2, upgrade = older)]
    pub(super) struct Price {
        pub(super) cents: u64,
    }

    fn older(version: u32, json: &str) -> Result<Price> {
        anyhow::ensure!(version == 1, "there was no version {version}");
        let units: f64 = json.parse()?;
        anyhow::ensure!(units >= 0.0, "a price below nothing");
        Ok(Price { cents: (units * 100.0).round() as u64 })
    }
}

fn run(pipeline: Pipeline) -> RunReport {
    for article in ["tea", "debt"] {
        pipeline.submit(Article(article.to_owned())).expect("there is room");
    }
    pipeline.run().expect("nothing fails")
}

#[test]
fn a_result_of_an_older_version_is_read_or_else_computed_again() {
    let store = Arc::new(Memory::new());
    let price = on_cached("price", "1", |_: &mut Context<'_>, article: &Article| {
        Ok(first::Price(if article.0 == "tea" { 2.5 } else { -1.0 }))
    });
    let pipeline = Pipeline::builder().processor(price).store(store.clone()).build();
    run(pipeline.expect("it is sound"));

    let price = || {
        on_cached("price", "1", |_: &mut Context<'_>, article: &Article| {
            assert_eq!(article.0, "debt", "the other one is known");
            Ok(second::Price { cents: 0 })
        })
    };
    for n_replayed in [1, 2] {
        let builder = Pipeline::builder().processor(price()).store(store.clone());
        let mut pipeline = builder.build().expect("it is sound");
        let prices = pipeline.collect::<second::Price>();
        let report = run(pipeline);
        let prices: Vec<u64> = prices.take().iter().map(|price| price.cents).collect();
        assert_eq!(prices, [250, 0]);
        assert_eq!(report.processors[0].replayed, n_replayed);
        let told = report.warnings.concat();
        assert_eq!(told.contains("can't be made one of 2"), n_replayed == 1, "{told}");
    }
}
