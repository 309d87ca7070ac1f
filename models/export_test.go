package models

// OnPrograms makes the model answer through compiled programs, as it does on every backend but the processor itself.
func (m *Causal) OnPrograms() {
	m.engine.processor, m.engine.limit = nil, panel
}
