//! Every peer runs every workload that it lists, at a tiny scale. Each run asserts its own result.

use std::collections::HashMap;

use selvedge_peers::{Scale, peers};

#[test]
fn every_peer_does_the_same_amount_of_every_workload_it_lists() {
    let scale = Scale::new(0.001).expect("in range");
    let mut sizes = HashMap::new();
    for peer in peers() {
        for &(workload, _) in peer.workloads {
            // Shown when a run panics or never ends, which is when the name is wanted.
            eprintln!("{} {workload}", peer.name);
            let report = peer.run(workload, scale).expect("the peer lists the workload");
            let n = report.sample.n;
            let first = *sizes.entry(workload).or_insert(n);
            assert_eq!(n, first, "{} does another {workload} than the others", peer.name);
            assert!(report.sample.secs > 0.0, "{report}");
        }
    }
}
