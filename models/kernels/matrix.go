package kernels

// A tile is what the inner loop computes at a time: tileRows rows of tileColumns columns fill the vector registers.
const (
	tileRows    = 6
	tileColumns = 16
)

// Matrix is the weight of a dense layer, [in, out], with its bias, packed for [Matrix.Mul].
type Matrix struct {
	in, out int
	panels  []float32 // [⌈out/tileColumns⌉, in, tileColumns], zeros behind the last column
	bias    []float32 // [⌈out/tileColumns⌉, tileColumns]
}

// Dense is a weight [in, out] in row-major order and a bias [out], nil for none.
type Dense struct {
	Weight []float32
	Bias   []float32
	Out    int
}

// Pack packs layers that read the same input; their outputs lie beside each other.
func Pack(in int, layers ...Dense) *Matrix {
	m := &Matrix{in: in}
	for _, layer := range layers {
		m.out += layer.Out
	}
	panels := (m.out + tileColumns - 1) / tileColumns
	m.panels = make([]float32, panels*in*tileColumns)
	m.bias = make([]float32, panels*tileColumns)
	first := 0
	for _, layer := range layers {
		copy(m.bias[first:], layer.Bias)
		for from := 0; from < layer.Out; {
			panel, lane := (first+from)/tileColumns, (first+from)%tileColumns
			n := min(tileColumns-lane, layer.Out-from)
			for k := range in {
				copy(m.panels[(panel*in+k)*tileColumns+lane:][:n], layer.Weight[k*layer.Out+from:])
			}
			from += n
		}
		first += layer.Out
	}
	return m
}

// In is the width of the input.
func (m *Matrix) In() int { return m.in }

// Out is the width of the output.
func (m *Matrix) Out() int { return m.out }

// Mul writes x·W + b to dst: x is [rows, in], dst [rows, out].
func (m *Matrix) Mul(dst, x []float32, rows int) {
	for column := 0; column < m.out; column += tileColumns {
		m.panel(dst[column:], m.out, min(tileColumns, m.out-column), x, rows, column/tileColumns)
	}
}

// Column writes one column of x·W + b to dst [rows]: the same bits as [Matrix.Mul] computes.
func (m *Matrix) Column(dst, x []float32, rows, column int) {
	var part [tileRows * tileColumns]float32
	lane := column % tileColumns
	for row := 0; row < rows; row += tileRows {
		n := min(tileRows, rows-row)
		m.panel(part[:], tileColumns, tileColumns, x[row*m.in:], n, column/tileColumns)
		for r := range n {
			dst[row+r] = part[r*tileColumns+lane]
		}
	}
}

// panel multiplies all rows with one panel, of which width columns are stored; stride is that of dst's rows.
func (m *Matrix) panel(dst []float32, stride, width int, x []float32, rows, panel int) {
	weight := m.panels[panel*m.in*tileColumns:][:m.in*tileColumns]
	bias := m.bias[panel*tileColumns:][:tileColumns]
	if width == tileColumns && rows >= tileRows {
		for row := 0; ; row += tileRows {
			// The last tile begins early enough to be whole: what it computes again is the same.
			row = min(row, rows-tileRows)
			tile(dst[row*stride:][:(tileRows-1)*stride+tileColumns], stride, x[row*m.in:][:tileRows*m.in], m.in, weight, bias)
			if row == rows-tileRows {
				return
			}
		}
	}
	// Few rows or columns: the same tile, from which only what is wanted is copied.
	var part [tileRows * tileColumns]float32
	for row := 0; row < rows; {
		n, step := 1, 0
		if rows-row >= tileRows {
			n, step = tileRows, m.in
		}
		tile(part[:], tileColumns, x[row*m.in:][:(n-1)*m.in+m.in], step, weight, bias)
		for r := range n {
			copy(dst[(row+r)*stride:][:width], part[r*tileColumns:])
		}
		row += n
	}
}
