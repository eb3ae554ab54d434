//! Numbers of several rounds: the middle one, and how far they are apart.

/// The median of some numbers, with the least and the greatest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub(crate) middle: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// None if there are no numbers.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let middle = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            f64::midpoint(sorted[half - 1], sorted[half])
        };
        Some(Spread { middle, least, most })
    }

    /// All of it, so many times.
    pub(crate) fn times(self, factor: f64) -> Spread {
        let Spread { middle, least, most } = self;
        Spread { middle: middle * factor, least: least * factor, most: most * factor }
    }

    /// With so many digits after the point.
    pub(crate) fn shown(self, digits: usize) -> String {
        let Spread { middle, least, most } = self;
        format!("{middle:.digits$} ({least:.digits$}–{most:.digits$})")
    }
}

/// The value that this share does not exceed, in milliseconds.
pub(crate) fn quantile_ms(ns: &[u64], share: f64) -> f64 {
    let mut sorted = ns.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).map_or(f64::NAN, |ns| *ns as f64 / 1e6)
}
