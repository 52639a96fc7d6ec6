//! Values in rows: those that are put into one lane, one after the other, lie side by side. Calls of one
//! priority go in the order in which they came, so that a long queue is read from memory as it lies there:
//! the processor sees that and fetches what comes next, which it cannot if its calls are scattered.

/// Values in a row. In longer ones there are fewer leaps, but a value that stays keeps a whole row.
const ROW: usize = 16;

/// Lanes whose numbers differ by a multiple of this are one.
const LANES: usize = 16;

/// Where a value is.
pub(super) type Place = u32;

/// A slab that is filled, and used again, row by row.
#[derive(Debug)]
pub(super) struct Rows<Value> {
    cells: Vec<Option<Value>>,
    /// Of each row, its values that have not been taken yet, those that are still to come included.
    left: Vec<usize>,
    /// Rows from which all have been taken.
    vacant: Vec<usize>,
    /// Of each lane, the cell behind its last value. If a row begins there the lane needs another one.
    ends: [usize; LANES],
}

impl<Value> Default for Rows<Value> {
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            left: Vec::new(),
            vacant: Vec::new(),
            ends: [0; LANES],
        }
    }
}

impl<Value> Rows<Value> {
    /// All values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.cells.iter().flatten()
    }

    pub(super) fn get(&self, place: Place) -> Option<&Value> {
        self.cells.get(place as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Value> {
        self.cells.get_mut(place as usize)?.as_mut()
    }

    /// Adds a value behind the last one of its lane.
    pub(super) fn push(&mut self, lane: u32, value: Value) -> Place {
        let lane = lane as usize % LANES;
        let mut place = self.ends[lane];
        if place.is_multiple_of(ROW) {
            place = self.open();
        }
        self.ends[lane] = place + 1;
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = Some(value);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "so many values do not fit into memory"
        )]
        let place = place as Place;
        place
    }

    pub(super) fn take(&mut self, place: Place) -> Option<Value> {
        let place = place as usize;
        let value = self.cells.get_mut(place)?.take()?;
        let left = self.left.get_mut(place / ROW)?;
        *left -= 1;
        if *left == 0 {
            self.vacant.push(place / ROW);
        }
        Some(value)
    }

    /// Where a row begins that nobody uses.
    fn open(&mut self) -> usize {
        let row = self.vacant.pop().unwrap_or(self.left.len());
        if let Some(left) = self.left.get_mut(row) {
            *left = ROW;
        } else {
            self.left.push(ROW);
            self.cells.resize_with(self.left.len() * ROW, || None);
        }
        row * ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(rows: &Rows<usize>) -> usize {
        rows.cells.len() / ROW
    }

    #[test]
    fn what_comes_into_one_lane_lies_side_by_side() {
        let mut rows = Rows::default();
        let places: Vec<Place> = (0..8 * ROW)
            .map(|value| rows.push(u32::try_from(value % 4).unwrap(), value))
            .collect();
        for lane in 0..4 {
            let places: Vec<Place> = places.iter().copied().skip(lane).step_by(4).collect();
            for row in places.chunks(ROW) {
                assert!(row.is_sorted_by(|one, next| one + 1 == *next), "{row:?}");
            }
        }
        for (value, place) in places.into_iter().enumerate() {
            assert_eq!(rows.get(place), Some(&value));
            assert_eq!(rows.get_mut(place).copied(), Some(value));
        }
        assert_eq!((rows.iter().count(), length(&rows)), (8 * ROW, 8));
    }

    #[test]
    fn a_row_is_used_again_when_all_its_values_have_been_taken() {
        let mut rows = Rows::default();
        let first: Vec<Place> = (0..ROW).map(|value| rows.push(0, value)).collect();
        for place in first.iter().skip(1) {
            assert!(rows.take(*place).is_some());
            assert_eq!((rows.take(*place), rows.get(*place)), (None, None));
        }
        let second = rows.push(0, 7);
        assert_eq!(length(&rows), 2, "one value keeps its row");
        assert_eq!(rows.take(first[0]), Some(0));
        assert_eq!(rows.push(1, 8), first[0]);
        assert_eq!((rows.take(second), rows.take(first[0])), (Some(7), Some(8)));
        for value in 0..100 * ROW {
            let place = rows.push(0, value);
            assert_eq!(rows.take(place), Some(value));
        }
        assert_eq!((rows.iter().count(), length(&rows)), (0, 2));
    }

    #[test]
    fn any_number_names_a_lane_and_there_are_few_of_them() {
        let mut rows = Rows::default();
        for value in 0..1_000 {
            let place = rows.push(u32::MAX - u32::try_from(value).unwrap() * 7, value);
            assert_eq!(rows.take(place), Some(value));
        }
        assert!(length(&rows) <= LANES, "{} rows", length(&rows));
    }

    #[test]
    fn there_is_nothing_where_nothing_was_put() {
        let mut rows = Rows::default();
        rows.push(0, 1);
        for place in [1, 16, Place::MAX] {
            assert_eq!(rows.get(place), None);
            assert_eq!(rows.get_mut(place), None);
            assert_eq!(rows.take(place), None);
        }
        assert_eq!(rows.iter().count(), 1);
    }
}
