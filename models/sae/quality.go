package sae

// Quality is how well an auto-encoder gives back what it reads, or a transcoder what the MLP gives.
type Quality struct {
	// Explained is the share of the variance that the reconstruction explains: 1 - Σ|x-y|² / Σ|x-mean|².
	Explained float64 `json:"explained_variance"`
	// L0 is the mean number of features that fire at a row.
	L0 float64 `json:"l0"`
	// Dead is the share of features that fire at no row.
	Dead float64 `json:"dead"`
	// Rows is how many were measured.
	Rows int `json:"rows"`
}

// Meter measures quality over rows. It is not safe for concurrent use.
type Meter struct {
	rows, active, alive int
	fired               []bool
	sums                []float64
	squares, lost       float64
}

// Meter begins to measure.
func (s *SAE) Meter() *Meter {
	return &Meter{fired: make([]bool, s.Features), sums: make([]float64, s.Outputs())}
}

// Add counts a row: its features, what [SAE.Decode] makes of them, and what that should be.
func (m *Meter) Add(features, decoded, want []float32) {
	m.rows++
	for f, a := range features {
		if a == 0 {
			continue
		}
		m.active++
		if !m.fired[f] {
			m.fired[f] = true
			m.alive++
		}
	}
	for i, v := range want {
		v, y := float64(v), float64(decoded[i])
		m.sums[i] += v
		m.squares += v * v
		m.lost += (v - y) * (v - y)
	}
}

// Quality is that of the rows so far.
func (m *Meter) Quality() Quality {
	if m.rows == 0 {
		return Quality{}
	}
	n := float64(m.rows)
	variance := m.squares
	for _, sum := range m.sums {
		variance -= sum * sum / n
	}
	q := Quality{Rows: m.rows, L0: float64(m.active) / n, Dead: 1 - float64(m.alive)/float64(len(m.fired))}
	if variance > 0 {
		q.Explained = 1 - m.lost/variance
	}
	return q
}
