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

// Out is the width of the output.
func (m *Matrix) Out() int { return m.out }

// Mul writes x·W + b to dst: x is [rows, in], dst [rows, out].
func (m *Matrix) Mul(dst, x []float32, rows int) { m.MulPart(dst, x, rows, 0, 1) }

// MulPart does one of so many parts of [Matrix.Mul], which may run at the same time.
func (m *Matrix) MulPart(dst, x []float32, rows, part, parts int) {
	panels := len(m.bias) / tileColumns
	for panel := panels * part / parts; panel < panels*(part+1)/parts; panel++ {
		column := panel * tileColumns
		m.panel(dst[column:], m.out, min(tileColumns, m.out-column), x, rows, panel)
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
