package kernels

// A tile is what the inner loop computes at a time: tileRows rows of tileColumns columns fill the vector registers.
const (
	tileRows    = 6
	tileColumns = 16
	wideTiles   = 4 // tiles side by side that fill wider registers
)

// Matrix is the weight of a dense layer, [in, out], with its bias, packed for [Matrix.Mul].
type Matrix struct {
	in, out int
	panels  []float32 // [⌈out/tileColumns⌉, in, tileColumns], zeros behind the last column
	bias    []float32 // [⌈out/tileColumns⌉, tileColumns]
}

// NewMatrix returns a matrix of zeros, to be filled by [Matrix.Set].
func NewMatrix(in, out int) *Matrix {
	panels := (out + tileColumns - 1) / tileColumns
	return &Matrix{in, out, make([]float32, panels*in*tileColumns), make([]float32, panels*tileColumns)}
}

// Set packs a weight [in, width] in row-major order, and its bias [width] or nil, as the columns from first on. Layers
// that read the same input can so be made one.
func (m *Matrix) Set(first, width int, weight, bias []float32) {
	copy(m.bias[first:], bias)
	m.SetPart(0, first, width, weight)
}

// SetPart packs part of a weight, [rows, width], as what the inputs from row on add to the columns from first on.
func (m *Matrix) SetPart(row, first, width int, weight []float32) {
	for from := 0; from < width; {
		panel, lane := (first+from)/tileColumns, (first+from)%tileColumns
		n := min(tileColumns-lane, width-from)
		for k := range len(weight) / width {
			copy(m.panels[(panel*m.in+row+k)*tileColumns+lane:][:n], weight[k*width+from:])
		}
		from += n
	}
}

// SetTransposed is [Matrix.Set] of a weight [width, in].
func (m *Matrix) SetTransposed(first, width int, weight, bias []float32) {
	copy(m.bias[first:], bias)
	for column := range width {
		panel, lane := (first+column)/tileColumns, (first+column)%tileColumns
		to := m.panels[panel*m.in*tileColumns+lane:]
		for k, v := range weight[column*m.in : (column+1)*m.in] {
			to[k*tileColumns] = v
		}
	}
}

// Pack makes rows of src, which lie stride apart, the matrix of as many inputs as there are rows; the bias stays.
func (m *Matrix) Pack(src []float32, stride int) {
	for column := 0; column < m.out; column += tileColumns {
		to := m.panels[column*m.in:][:m.in*tileColumns]
		n := min(tileColumns, m.out-column)
		for k := range m.in {
			copy(to[k*tileColumns:][:n], src[k*stride+column:])
		}
	}
}

// PackTransposed makes rows of src, which lie stride apart, the matrix of as many outputs as there are rows; the bias
// stays.
func (m *Matrix) PackTransposed(src []float32, stride int) {
	for column := range m.out {
		to := m.panels[column/tileColumns*m.in*tileColumns+column%tileColumns:]
		for k, v := range src[column*stride:][:m.in] {
			to[k*tileColumns] = v
		}
	}
}

// AddTransposed adds xᵀ·W to dst [width, out], for x [in, width] whose rows lie stride apart: what a dense layer's
// weight gets from its inputs, where W holds the derivatives of its outputs. It returns scratch, grown as needed.
func (m *Matrix) AddTransposed(dst, x []float32, stride, width int, scratch []float32) []float32 {
	tilesDown := (width + tileRows - 1) / tileRows
	if need := tilesDown * m.in * tileRows; cap(scratch) < need {
		scratch = make([]float32, need)
	}
	// Six columns of x beside one another, so that the tile reads them in a stream.
	packed := scratch[:tilesDown*m.in*tileRows]
	for t := range tilesDown {
		to := packed[t*m.in*tileRows:][:m.in*tileRows]
		first := t * tileRows
		if n := width - first; n < tileRows {
			for k := range m.in {
				copy(to[k*tileRows:][:n], x[k*stride+first:])
			}
			continue
		}
		for k := range m.in {
			from := x[k*stride+first:][:tileRows]
			six := to[k*tileRows:][:tileRows]
			six[0], six[1], six[2], six[3], six[4], six[5] = from[0], from[1], from[2], from[3], from[4], from[5]
		}
	}
	panels := len(m.bias) / tileColumns
	for panel := 0; panel < panels; {
		last := panel + 1
		if wideVectors {
			last = min(panel+wideTiles, panels)
		}
		for t := range tilesDown {
			rows := min(tileRows, width-t*tileRows)
			m.product(dst[t*tileRows*m.out:], m.out,
				Rows{packed[t*m.in*tileRows:], 1, tileRows}, rows, 0, m.in, panel, last, true)
		}
		panel = last
	}
	return scratch
}

// Out is the width of the output.
func (m *Matrix) Out() int { return m.out }

// Mul writes x·W + b to dst: x is [rows, in], dst [rows, out].
func (m *Matrix) Mul(dst, x []float32, rows int) { m.MulPart(dst, x, rows, 0, 1) }

// MulPart does one of so many parts of [Matrix.Mul], which may run at the same time.
func (m *Matrix) MulPart(dst, x []float32, rows, part, parts int) {
	panels := len(m.bias) / tileColumns
	from, to := panels*part/parts, panels*(part+1)/parts
	if wideVectors {
		if from = panels / wideTiles * part / parts * wideTiles; part+1 < parts {
			to = panels / wideTiles * (part + 1) / parts * wideTiles
		}
	}
	m.product(dst, m.out, Rows{x, m.in, 1}, rows, 0, m.in, from, to, false)
}

// Column writes one column of x·W + b to dst [rows]: the same bits as [Matrix.Mul] computes.
func (m *Matrix) Column(dst, x []float32, rows, column int) {
	var part [tileRows * tileColumns]float32
	lane := column % tileColumns
	for row := 0; row < rows; row += tileRows {
		n := min(tileRows, rows-row)
		m.panel(part[:], tileColumns, tileColumns, Rows{x[row*m.in:], m.in, 1}, 0, n, 0, m.in, column/tileColumns, false)
		for r := range n {
			dst[row+r] = part[r*tileColumns+lane]
		}
	}
}

// Weights are those of one column, [in].
func (m *Matrix) Weights(column int) []float32 {
	weights := make([]float32, m.in)
	for k := range weights {
		weights[k] = m.panels[(column/tileColumns*m.in+k)*tileColumns+column%tileColumns]
	}
	return weights
}

// Rows is the left factor of a product: element k of row r is Data[r·Row+k·Term]. So a matrix and its transpose are
// views of the same values.
type Rows struct {
	Data      []float32
	Row, Term int
}

// at is the view from an element on.
func (x Rows) at(row, term int) Rows {
	return Rows{x.Data[row*x.Row+term*x.Term:], x.Row, x.Term}
}

// Product writes x·W + b to dst, whose rows lie stride apart, or adds x·W to it; of the sums, only the terms from …
// to-1, and of the columns the first so many.
func (m *Matrix) Product(dst []float32, stride int, x Rows, rows, from, to, columns int, add bool) {
	if to <= from {
		return
	}
	panels := (columns + tileColumns - 1) / tileColumns
	m.product(dst, stride, x.at(0, from), rows, from, to, 0, panels, add)
}

// product multiplies with the panels from first to last-1; x begins at the first term.
func (m *Matrix) product(dst []float32, stride int, x Rows, rows, from, to, first, last int, add bool) {
	for panel := first; panel < last; {
		column := panel * tileColumns
		if wideVectors && panel+wideTiles <= last && rows >= tileRows && column+wideTiles*tileColumns <= m.out {
			m.widePanel(dst[column:], stride, x, rows, from, to, panel, add)
			panel += wideTiles
			continue
		}
		m.panel(dst[column:], stride, min(tileColumns, m.out-column), x, 0, rows, from, to, panel, add)
		panel++
	}
}

// widePanel multiplies all rows, of which there is at least a tile, with as many panels as the widest kernel takes.
func (m *Matrix) widePanel(dst []float32, stride int, x Rows, rows, from, to, panel int, add bool) {
	weight, bias := m.panels[(panel*m.in+from)*tileColumns:], m.bias[panel*tileColumns:]
	row := 0
	for ; rows-row >= tileRows; row += tileRows {
		start, startStride := bias, 0
		if add {
			start, startStride = dst[row*stride:], stride
		}
		tiles(dst[row*stride:], stride, start, startStride,
			x.Data[row*x.Row:], x.Row, x.Term, to-from, weight, m.in*tileColumns)
	}
	if row == rows {
		return
	}
	if !add { // The last tile begins early enough to be whole: what it computes again is the same.
		row = rows - tileRows
		tiles(dst[row*stride:], stride, bias, 0, x.Data[row*x.Row:], x.Row, x.Term, to-from, weight, m.in*tileColumns)
		return
	}
	for i := range wideTiles {
		m.panel(dst[i*tileColumns:], stride, tileColumns, x, row, rows, from, to, panel+i, add)
	}
}

// panel multiplies the rows from row on with one panel, of which width columns are stored.
func (m *Matrix) panel(dst []float32, stride, width int, x Rows, row, rows, from, to, panel int, add bool) {
	weight, bias := m.panels[(panel*m.in+from)*tileColumns:], m.bias[panel*tileColumns:][:tileColumns]
	if width == tileColumns {
		for ; rows-row >= tileRows; row += tileRows {
			start, startStride := bias, 0
			if add {
				start, startStride = dst[row*stride:], stride
			}
			tile(dst[row*stride:], stride, start, startStride, x.Data[row*x.Row:], x.Row, x.Term, to-from, weight)
		}
	}
	// Few rows or columns: the same tile, from which only what is wanted is copied.
	var part [tileRows * tileColumns]float32
	for row < rows {
		// Where there are enough rows, the tile begins before the first one wanted; else it reads one row six times.
		first, n, step := row, 1, 0
		if rows >= tileRows {
			first, step = min(row, rows-tileRows), x.Row
			n = first + tileRows - row
		}
		start, startStride := bias, 0
		if add {
			for r := range n {
				copy(part[(row-first+r)*tileColumns:][:tileColumns], dst[(row+r)*stride:][:width])
			}
			start, startStride = part[:], tileColumns
		}
		tile(part[:], tileColumns, start, startStride, x.Data[first*x.Row:], step, x.Term, to-from, weight)
		for r := range n {
			copy(dst[(row+r)*stride:][:width], part[(row-first+r)*tileColumns:])
		}
		row += n
	}
}
