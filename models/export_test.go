package models

// OnPrograms makes the model answer through compiled programs, as it does on every backend but the processor itself.
func (m *Causal) OnPrograms() { m.engine.UsePrograms() }

// Exact says whether the model answers the same to the last bit whatever else is asked at the same time.
func (m *Causal) Exact() bool { return m.engine.Exact() }
