//! The load harness has no test harness of its own: its statistics are tested from here.

#[path = "../benches/load/stats.rs"]
mod stats;

use stats::{median, median_interval_95};

fn one_to(count: u32) -> Vec<f64> {
    (1..=count).map(f64::from).collect()
}

#[test]
fn the_median_is_the_middle_whatever_the_order() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[4.0, 1.0, 100.0, 2.0]), Some(3.0));
}

#[test]
fn the_interval_is_that_of_the_sign_test() {
    // The table's ranks: 6 values 1..6, 10 values 2..9, 20 values 6..15, 30 values 10..21.
    assert_eq!(median_interval_95(&one_to(6)), Some((1.0, 6.0)));
    assert_eq!(median_interval_95(&one_to(10)), Some((2.0, 9.0)));
    assert_eq!(median_interval_95(&one_to(20)), Some((6.0, 15.0)));
    assert_eq!(median_interval_95(&one_to(30)), Some((10.0, 21.0)));
}

#[test]
fn too_few_values_have_no_interval() {
    for count in 0..6 {
        assert_eq!(median_interval_95(&one_to(count)), None, "{count}");
    }
}

#[test]
fn one_wild_value_moves_neither() {
    let mut values = one_to(20);
    values[19] = 1e9;
    values.reverse();
    assert_eq!(median(&values), Some(10.5));
    assert_eq!(median_interval_95(&values), Some((6.0, 15.0)));
}
