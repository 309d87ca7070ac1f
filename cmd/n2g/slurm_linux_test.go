package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/cluster"
)

// slurmCluster is a SLURM of several nodes on this machine.
type slurmCluster struct {
	t     *testing.T
	nodes map[string]*exec.Cmd
	env   []string
}

// startSlurm starts a controller and so many nodes, from Debian's packages slurmctld, slurmd and slurm-client.
func startSlurm(t *testing.T, nodes int) *slurmCluster {
	t.Helper()
	for _, name := range []string{"slurmctld", "slurmd", "sbatch", "squeue", "scontrol"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: there is no %s: install slurmctld, slurmd and slurm-client to test on a real SLURM", name)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: SLURM's daemons start as root only")
	}
	folder := t.TempDir()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	first := freePorts(t, nodes+2)
	conf := fmt.Sprintf(`ClusterName=n2g
SlurmctldHost=%[1]s(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort=%[3]d
StateSaveLocation=%[2]s/state
SlurmdSpoolDir=%[2]s/spool-%%n
SlurmctldPidFile=%[2]s/slurmctld.pid
SlurmdPidFile=%[2]s/slurmd-%%n.pid
SlurmctldLogFile=%[2]s/slurmctld.log
SlurmdLogFile=%[2]s/slurmd-%%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
JobRequeue=1
SlurmdTimeout=5
KillWait=2
NodeName=n[1-%[4]d] NodeHostname=%[1]s NodeAddr=127.0.0.1 Port=[%[5]d-%[6]d] CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`, host, folder, first, nodes, first+1, first+nodes)
	path := filepath.Join(folder, "slurm.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "state"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := &slurmCluster{t: t, nodes: map[string]*exec.Cmd{},
		env: append(os.Environ(), "SLURM_CONF="+path, childCommand+"=1")}
	start := func(name string, args ...string) *exec.Cmd {
		command := exec.Command(name, args...)
		command.Env = append(os.Environ(), "SLURM_CONF="+path)
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	controller := start("slurmctld", "-D", "-c")
	t.Cleanup(func() { stopDaemon(controller) })
	for i := 1; i <= nodes; i++ {
		name := fmt.Sprintf("n%d", i)
		c.nodes[name] = start("slurmd", "-D", "-N", name)
	}
	t.Cleanup(func() {
		for _, node := range c.nodes {
			stopDaemon(node)
		}
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, _ := c.command("sinfo", "--noheader", "--format=%D %t").Output()
		if strings.TrimSpace(string(out)) == fmt.Sprintf("%d idle", nodes) {
			return c
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(folder, "slurmctld.log"))
			t.Fatalf("the nodes do not come up: %q\n%s", out, log)
		}
	}
}

// freePorts returns the first of so many free ports in a row.
func freePorts(t *testing.T, count int) int {
	t.Helper()
	for first := 21000 + os.Getpid()%20000; first < 60000; first += count {
		free := true
		for port := first; port < first+count && free; port++ {
			listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			if free = err == nil; free {
				listener.Close()
			}
		}
		if free {
			return first
		}
	}
	t.Fatal("no ports are free")
	return 0
}

func stopDaemon(c *exec.Cmd) {
	syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // it may have ended
	c.Wait()                                      // it was killed
}

func (c *slurmCluster) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Env = c.env
	return command
}

// n2g runs the program with the cluster's commands.
func (c *slurmCluster) n2g(args ...string) string {
	c.t.Helper()
	command := c.command(os.Args[0], args...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		c.t.Fatalf("%q: %v: %s", args, err, &complaint)
	}
	return string(out)
}

// drained waits until nothing is queued, and calls meanwhile.
func (c *slurmCluster) drained(meanwhile func()) {
	c.t.Helper()
	for end := time.Now().Add(6 * time.Minute); ; time.Sleep(30 * time.Millisecond) {
		out, err := c.command("squeue", "--noheader").Output()
		if err == nil && len(bytes.TrimSpace(out)) == 0 {
			return
		}
		meanwhile()
		if time.Now().After(end) {
			c.t.Fatalf("the queue does not empty: %s", out)
		}
	}
}

// tasksRunning are the process ids of the program's tasks of a stage, by number.
func tasksRunning(folder, stage string) map[int]int {
	found := map[int]int{}
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		content, err := os.ReadFile(name)
		args := strings.Split(string(content), "\x00")
		if err != nil || len(args) < 8 || args[0] != os.Args[0] || args[1] != "task" || args[3] != folder ||
			args[5] != stage {
			continue
		}
		number, _ := strconv.Atoi(args[7])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		found[number] = pid
	}
	return found
}

// on reports whether a process of a task runs on a node. Of one that cannot be read it reports true.
func on(pid int, node string) bool {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err != nil || slices.Contains(strings.Split(string(environment), "\x00"), "SLURMD_NODENAME="+node)
}

// TestSlurm runs a job of forty tasks on a SLURM of four nodes: five tasks are killed, one is queued again, one node
// goes down. What comes out is what one run on one machine makes, byte for byte in its explanations.
func TestSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	c := startSlurm(t, 4)
	folder := filepath.Join(t.TempDir(), "job")
	run := []string{"-model", "tiny", "-masked", "none", "-sample", "30", "-concurrency", "1"}
	submit := append([]string{"submit", "slurm", "-dir", folder, "-tasks", "40", "-program", os.Args[0], "run"}, run...)
	contains(t, "submit", c.n2g(submit...), []string{"run", "store"})

	killed := map[int]bool{}
	requeued, down := false, false
	c.drained(func() {
		for number, pid := range tasksRunning(folder, "run") {
			switch {
			case len(killed) < 5 && number%3 == 0 && !killed[number] && !on(pid, "n4"):
				// SLURM starts what a lost node ran again, killed or not, so none is killed there. And a task is held,
				// since one whose result is there already is done, killed or not.
				if syscall.Kill(pid, syscall.SIGSTOP) != nil {
					continue
				}
				if cluster.Folder(folder).Done(cluster.Run, number) {
					syscall.Kill(pid, syscall.SIGCONT) // or it has ended
				} else if syscall.Kill(pid, syscall.SIGKILL) == nil {
					killed[number] = true
				}
			case !requeued && number > 8:
				out, err := c.command("squeue", "--noheader", "--states=RUNNING", "--format=%A %K").Output()
				for line := range strings.Lines(string(out)) {
					if fields := strings.Fields(line); err == nil && len(fields) == 2 && fields[1] == strconv.Itoa(number) {
						requeued = c.command("scontrol", "requeue", fields[0]).Run() == nil
					}
				}
			case !down && number > 16:
				stopDaemon(c.nodes["n4"])
				down = c.command("scontrol", "update", "nodename=n4", "state=down", "reason=test").Run() == nil
			}
		}
	})
	if len(killed) != 5 || !requeued || !down {
		t.Errorf("killed %v, queued again %t, node down %t", killed, requeued, down)
	}
	status := c.n2g("status", folder)
	for number := range killed {
		contains(t, "status", status, []string{"STAGE", fmt.Sprintf("run %d: failed", number), "killed by signal 9"})
	}
	// The same command does what is left.
	contains(t, "second submit", c.n2g(submit...), []string{"run", "store"})
	c.drained(func() {})
	contains(t, "status in the end", c.n2g("status", folder), []string{"run    40     40    0", "store  1      1     0"})
	contains(t, "third submit", c.n2g(submit...), []string{"all is done"})

	single := filepath.Join(t.TempDir(), "single.db")
	if status, _, stderr := call(t, "", append([]string{"run", "-store", single}, run...)...); status != 0 {
		t.Fatal(stderr)
	}
	joined := ok(t, "export", "-jsonl", "-", "-store", filepath.Join(folder, "run.db"))
	if want := ok(t, "export", "-jsonl", "-", "-store", single); joined != want || strings.Count(want, "\n") != 90 {
		t.Errorf("joined are %d explanations, of one run %d, and they differ", strings.Count(joined, "\n"),
			strings.Count(want, "\n"))
	}
	if summary, err := os.ReadFile(filepath.Join(folder, "summary.txt")); err != nil ||
		!bytes.Contains(summary, []byte("token lookup")) {
		t.Errorf("summary %q, %v", summary, err)
	}
}

// TestSubmitDry: the scripts are shown, and nothing is made; what cannot be a job is refused.
func TestSubmitDry(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "job")
	out := ok(t, "submit", "slurm", "-dir", folder, "-tasks", "3", "-partition", "p", "-dry-run", "mine", "-corpus", "go",
		"then", "run", "-masked", "none")
	contains(t, "scripts", out, []string{"mine.sbatch", "--array=1-3", "--partition=p", "index.sbatch", "run.sbatch",
		"store.sbatch", "sbatch --parsable", "afterok"})
	if _, err := os.Stat(folder); err == nil {
		t.Error("a dry run makes the folder")
	}
	contains(t, "manifest", ok(t, "submit", "kubernetes", "-dir", "/job", "-image", "i", "-claim", "c", "run"),
		[]string{"kind: Job", "Indexed", `"run\":[]`})
	for _, test := range []struct{ args, want []string }{
		{[]string{"run"}, []string{"-dir"}},
		{[]string{"-dir", folder, "walk"}, []string{"mine FLAGS"}},
		{[]string{"-dir", folder, "run", "then", "mine"}, []string{"mine FLAGS"}},
		{[]string{"-dir", folder, "run", "-store", "x"}, []string{"-store of n2g run is the job's own"}},
		{[]string{"-dir", folder, "run", "-shard", "1/2"}, []string{"-shard of n2g run"}},
		{[]string{"-dir", folder, "mine", "then", "run", "-index", "x"}, []string{"-index of n2g run"}},
		{[]string{"-dir", folder, "run", "-colour"}, []string{"-colour"}},
		{[]string{"-dir", folder, "run", "-examples", "-"}, []string{"standard input"}},
		{[]string{"-dir", folder, "-tasks", "0", "run"}, []string{"0 tasks"}},
	} {
		status, _, stderr := call(t, "", append([]string{"submit", "slurm"}, test.args...)...)
		if status != 1 {
			t.Errorf("%q: %d", test.args, status)
		}
		contains(t, fmt.Sprint(test.args), stderr, test.want)
	}
}

// TestTaskStopped: a task that is told to stop keeps what it has done in the job's folder, and an attempt elsewhere
// goes on from there.
func TestTaskStopped(t *testing.T) {
	folder, scratch := filepath.Join(t.TempDir(), "job"), t.TempDir()
	job := `{"program":"n2g","directory":"/","mine":null,"run":["-masked","none","-sample","12","-concurrency","1"],"tasks":1}`
	args := []string{"task", "-dir", folder, "-stage", "run", "-job", job}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil { // until some neurons are done
			if found, _ := filepath.Glob(filepath.Join(scratch, "*", "run-0001", "result.db-wal")); len(found) > 0 {
				if info, err := os.Stat(found[0]); err == nil && info.Size() > 300_000 {
					stop()
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	var stdout, stderr bytes.Buffer
	if status := run(ctx, append(args, "-scratch", scratch), strings.NewReader(""), &stdout,
		&stderr); status != statusInterrupted {
		t.Fatalf("%d %q", status, &stderr)
	}
	partial := filepath.Join(folder, "partial", "run-0001.db")
	before := strings.Count(ok(t, "export", "-jsonl", "-", "-store", partial), "\n")
	if before == 0 || before == 36 {
		t.Errorf("%d neurons are kept", before)
	}
	contains(t, "status", ok(t, "status", folder), []string{"STOPPED", "run 1: interrupted"})
	if status, stdout, stderr := call(t, "", append(args, "-scratch", t.TempDir())...); status != 0 ||
		!strings.Contains(stdout, "36 of 36 done") {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	if got := strings.Count(ok(t, "export", "-jsonl", "-", "-store", filepath.Join(folder, "run", "0001.db")),
		"\n"); got != 36 {
		t.Errorf("%d neurons in the end", got)
	}
}
