// Package modeltest holds the contracts that models keep, as tests that every implementation runs: those of package
// models, and the fakes that callers test with. A contract asks no particular numbers, only what any caller relies on:
// answers that do not depend on what else is asked, errors where there is no answer, safety under concurrent use.
package modeltest
