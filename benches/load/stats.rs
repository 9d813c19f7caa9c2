//! Statistics: the median of paired runs with its confidence interval, and percentiles of single values.

/// Returns the median; of an even count, the mean of the middle two. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

/// Returns the smallest value that at least `percent` % of the values do not exceed (nearest rank); 100 gives the
/// largest. `None` without values.
pub fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let rank = (values.len() * percent).div_ceil(100).max(1);
    sorted(values).get(rank - 1).copied()
}

/// Returns the interval that contains the true median with at least 95 % probability, whatever the distribution: the
/// order statistics of the sign test (Conover, Practical Nonparametric Statistics, section 3.2). `None` below six
/// values, where no two of them reach 95 %.
pub fn median_interval_95(values: &[f64]) -> Option<(f64, f64)> {
    let cut = values_to_cut(values.len())?;
    let sorted = sorted(values);
    Some((sorted[cut], sorted[sorted.len() - 1 - cut]))
}

/// Returns how many values can be left out at either end: the largest `cut` with P(heads <= cut) <= 2.5 % in `count`
/// coin tosses.
fn values_to_cut(count: usize) -> Option<usize> {
    let mut probability = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut at_most = 0.0;
    let mut cut = None;
    for heads in 0..count {
        at_most += probability;
        if at_most > 0.025 {
            break;
        }
        cut = Some(heads);
        probability *= (count - heads) as f64 / (heads + 1) as f64;
    }
    cut
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}
