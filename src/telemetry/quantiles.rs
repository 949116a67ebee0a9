//! Quantiles over the last ten minutes in bounded memory: what a summary shows (v3 §16).
//!
//! The window is five streams, begun two minutes apart. Each takes every value; the oldest answers, and is emptied when it
//! is ten minutes old. So an answer covers the last eight to ten minutes, as in the original.
//!
//! A stream answers exactly while it holds few values. Then it becomes a sketch for targeted quantiles (Cormode, Korn,
//! Muthukrishnan, Srivastava: "Effective computation of biased quantiles over data streams", 2005): a sorted list of
//! values, each standing for some neighbours, as many as the promised error allows.

use std::collections::VecDeque;
use std::time::Duration;

use super::number;
use crate::core::Moment;

/// The quantiles that are shown, and by how much of the whole their rank may be wrong.
pub(super) const TARGETS: [(f64, f64); 3] = [(0.5, 0.05), (0.9, 0.01), (0.99, 0.001)];

const STREAMS: u32 = 5;
const STEP: Duration = Duration::from_mins(2);

/// So many values wait to be merged at once; until they were merged for the first time answers are exact.
const BATCH: usize = 500;

/// So many points a stream keeps at most: 24 KiB.
const MOST_POINTS: usize = 1_000;

/// The five streams, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Empty until there is a first value: most metrics of most programs are never fed.
    streams: VecDeque<Stream>,
    /// When the oldest stream is emptied.
    turns: Moment,
}

impl Window {
    /// Takes a value.
    pub fn add(&mut self, value: f64, now: Moment) {
        if self.streams.is_empty() {
            self.streams.resize_with(usize::try_from(STREAMS).unwrap_or(1), Stream::default);
            self.turns = now.after(STEP);
        }
        self.turn(now);
        for stream in &mut self.streams {
            stream.add(value);
        }
    }

    /// The value of a quantile, NaN when there is none in the window.
    pub fn quantile(&mut self, quantile: f64, now: Moment) -> f64 {
        self.turn(now);
        self.streams.front_mut().map_or(f64::NAN, |oldest| oldest.quantile(quantile))
    }

    fn turn(&mut self, now: Moment) {
        // After a long silence every stream is emptied once; more would change nothing.
        for _ in 0..STREAMS {
            if now < self.turns {
                return;
            }
            if self.streams.pop_front().is_some() {
                self.streams.push_back(Stream::default());
            }
            self.turns = self.turns.after(STEP);
        }
        if self.turns <= now {
            self.turns = now.after(STEP);
        }
    }
}

/// A value that stands for its neighbours, too.
#[derive(Debug, Clone, Copy)]
struct Point {
    value: f64,
    /// So many values end here.
    width: f64,
    /// Its rank may be wrong by so many.
    slack: f64,
}

/// All values since its begin.
#[derive(Debug, Default)]
struct Stream {
    /// Not yet merged.
    fresh: Vec<f64>,
    points: Vec<Point>,
    /// How many values the points stand for.
    count: f64,
}

impl Stream {
    fn add(&mut self, value: f64) {
        self.fresh.push(value);
        if self.fresh.len() >= BATCH {
            self.merge();
        }
    }

    fn quantile(&mut self, quantile: f64) -> f64 {
        if self.points.is_empty() {
            self.fresh.sort_by(f64::total_cmp);
            let rank = (quantile * number::of(self.fresh.len() as u64)).ceil();
            let mut upwards = self.fresh.iter().zip(1_u32..);
            let found = upwards.find(|(_, place)| f64::from(*place) >= rank);
            return found.map_or(f64::NAN, |(value, _)| *value);
        }
        self.merge();
        let rank = (quantile * self.count).ceil();
        let limit = rank + (self.allowed(rank) / 2.0).ceil();
        let mut below = 0.0;
        let mut best = f64::NAN;
        for point in &self.points {
            if !best.is_nan() && below + point.width + point.slack > limit {
                break;
            }
            below += point.width;
            best = point.value;
        }
        best
    }

    /// By how many the ranks of neighbours around this rank may differ.
    fn allowed(&self, rank: f64) -> f64 {
        let each = TARGETS.iter().map(|(quantile, error)| {
            if quantile * self.count <= rank {
                2.0 * error * rank / quantile
            } else {
                2.0 * error * (self.count - rank) / (1.0 - quantile)
            }
        });
        each.fold(f64::INFINITY, f64::min)
    }

    /// Sorts the fresh values in among the points, and thins these out.
    fn merge(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        if fresh.is_empty() {
            return;
        }
        fresh.sort_by(f64::total_cmp);
        let mut merged = Vec::with_capacity(self.points.len() + fresh.len());
        let mut old = std::mem::take(&mut self.points).into_iter().peekable();
        for value in &fresh {
            while let Some(point) = old.next_if(|point| point.value.total_cmp(value).is_le()) {
                merged.push(point);
            }
            // It is one of those for which the next point stands. The smallest and the largest are known exactly.
            let next = old.peek().filter(|_| !merged.is_empty());
            let slack = next.map_or(0.0, |next| next.width + next.slack - 1.0);
            merged.push(Point { value: *value, width: 1.0, slack });
            self.count += 1.0;
        }
        merged.extend(old);
        self.points = merged;
        // More than once only where a run of values that no sketch likes would take too much room.
        let mut leniency = 1.0;
        while leniency < 1e3 && (leniency < 2.0 || self.points.len() > MOST_POINTS) {
            self.points = self.thinned(leniency);
            leniency *= 2.0;
        }
        // The room of one batch is kept for the next.
        fresh.clear();
        self.fresh = fresh;
    }

    /// From the top: a point is taken into the one above it where both together stay within what is allowed.
    fn thinned(&self, leniency: f64) -> Vec<Point> {
        let mut kept: Vec<Point> = Vec::new();
        let mut rank = self.count;
        for (index, point) in self.points.iter().enumerate().rev() {
            rank -= point.width;
            match kept.last_mut() {
                // The smallest stays, as the largest does.
                Some(above)
                    if index > 0 && point.width + above.width + above.slack <= self.allowed(rank) * leniency =>
                {
                    above.width += point.width;
                }
                _ => kept.push(*point),
            }
        }
        kept.reverse();
        kept.shrink_to_fit();
        kept
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "a quantile is one of the values, not computed")]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn all(window: &mut Window, now: Moment) -> [f64; 3] {
        TARGETS.map(|(quantile, _)| window.quantile(quantile, now))
    }

    #[test]
    fn few_values_give_exact_answers() {
        let mut window = Window::default();
        assert!(all(&mut window, at(0)).iter().all(|q| q.is_nan()), "nothing yet");
        for value in (1..=100_u32).rev() {
            window.add(f64::from(value), at(1));
        }
        assert_eq!(all(&mut window, at(2)), [50.0, 90.0, 99.0]);
    }

    #[test]
    fn many_values_give_answers_within_the_promised_error_in_little_room() {
        const MANY: u32 = 200_000;
        // Upwards, downwards, and as if by chance: 7919 and the count have no common divisor.
        let orders: [&dyn Fn(u32) -> u32; 3] =
            [&|i| i, &|i| MANY - 1 - i, &|i| u32::try_from(u64::from(i) * 7919 % u64::from(MANY)).unwrap()];
        for (number, order) in orders.iter().enumerate() {
            let mut stream = Stream::default();
            let mut most = 0;
            for i in 0..MANY {
                stream.add(f64::from(order(i)));
                most = most.max(stream.points.len());
            }
            for (quantile, error) in TARGETS {
                let wrong = (stream.quantile(quantile) / f64::from(MANY) - quantile).abs();
                assert!(wrong <= error, "order {number}, quantile {quantile}: wrong by {wrong}");
            }
            assert!(most < 100, "order {number}: {most} points");
        }
    }

    #[test]
    fn a_value_is_forgotten_after_ten_minutes() {
        let mut window = Window::default();
        window.add(1.0, at(0));
        window.add(9.0, at(300));
        assert_eq!(window.quantile(0.5, at(479)), 1.0);
        assert_eq!(window.quantile(0.99, at(479)), 9.0);
        assert_eq!(window.quantile(0.5, at(601)), 9.0, "only the later one is left");
        assert!(window.quantile(0.5, at(1_000)).is_nan());
        window.add(4.0, at(100_000));
        assert_eq!(window.quantile(0.5, at(100_001)), 4.0, "after a long silence");
        assert_eq!(window.quantile(0.5, at(100_300)), 4.0);
    }

    #[test]
    fn what_is_no_order_of_magnitude_does_no_harm() {
        let mut window = Window::default();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0] {
            for _ in 0..BATCH {
                window.add(value, at(0));
            }
        }
        assert_eq!(window.quantile(0.5, at(1)).abs(), 0.0);
    }
}
