//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The project of kcl-bootstrap new builds and passes its test with modules of this tree, by
// the steps that it prints. It handles records as Kubernetes starts its image and as
// systemd starts its unit.
func TestNewProject(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	n := newProject(t)
	a := n.application
	n.typeNext("processor/worker", "go run .")
	a.run("kcl-infra", "create", "--application", a.name, "--stream-name", a.name, "--region", "us-east-1", "--shards", "2", "--seed-leases", "TRIM_HORIZON")
	const poison = "no event"
	a.putLines(20, func(line int) string {
		if line == 7 {
			return poison
		}
		return fmt.Sprintf(`{"time":1700000000000,"sensor":"sensor-%d","reading":%[1]d}`, line)
	})

	// The steps of the Dockerfile, with the folders of this machine. The jars and Java are
	// already in the cache, and cannot come from elsewhere.
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	jars, image := filepath.Join(cache, "kcl-bootstrap", "maven"), t.TempDir()
	// Making an archive takes 10 s; TestArchive does that.
	n.build(strings.NewReplacer("/out/bin", image, "/opt/cache/kcl-bootstrap/maven", jars, " --archive", ""), "kcl-bootstrap fetch", "go build")
	if !strings.Contains(n.dockerfile, "\nCOPY --from=build /opt/cache/ /opt/cache/\nENV XDG_CACHE_HOME=/opt/cache\n") {
		t.Fatalf("the worker looks for its jars below XDG_CACHE_HOME:\n%s", n.dockerfile)
	}
	if err := os.Mkdir(filepath.Join(image, "kcl-bootstrap"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(jars, filepath.Join(image, "kcl-bootstrap", "maven")); err != nil {
		t.Fatal(err)
	}
	container := n.deployment().Spec.Template.Spec.Containers[0]
	// The image has only the Java that was fetched with them.
	inPod := []string{"XDG_CACHE_HOME=" + image, "PATH=" + image, "JAVA_HOME=", "KCL_MAVEN_REPO=http://127.0.0.1:1", "KCL_JAVA_INDEX=http://127.0.0.1:1", "HTTP_ADDR=127.0.0.1:0"}
	for _, e := range container.Env {
		if e.ValueFrom != nil {
			e.Value = "orders-5d4f9c7b6-x2x4z"
		}
		inPod = append(inPod, e.Name+"="+e.Value)
	}
	p := a.startProcess("pod", exec.Command(filepath.Join(image, "orders")), inPod...)
	p.await("the status page", func() bool { return p.page() != "" })
	if status, text := p.get(container.LivenessProbe.HTTPGet.Path); status != http.StatusOK {
		t.Errorf("not alive while KCL starts: %d, %s", status, text)
	}
	p.handled(19)
	p.await("readiness", func() bool {
		status, _ := p.get(container.ReadinessProbe.HTTPGet.Path)
		return status == http.StatusOK
	})
	last := map[string]string{}
	for _, key := range a.sent {
		at := processor.Position{SequenceNumber: key.SequenceNumber}
		if at.Compare(processor.Position{SequenceNumber: last[key.ShardID]}) > 0 {
			last[key.ShardID] = key.SequenceNumber
		}
	}
	p.await("each shard's last record checkpointed", func() bool { return maps.Equal(a.checkpoints(), last) })
	if id := p.workerID(); id != "orders-5d4f9c7b6-x2x4z" {
		t.Errorf("the pod's worker ID is %q", id)
	}
	p.stop()
	letters, err := filepath.Glob(filepath.Join(a.dir, "dead-letters", "*.jsonl"))
	if err != nil || len(letters) != 1 {
		t.Fatalf("dead letters: %q, %v", letters, err)
	}
	text, err := os.ReadFile(letters[0])
	if err != nil {
		t.Fatal(err)
	}
	var letter handle.DeadLetter
	if err := json.Unmarshal(text, &letter); err != nil { // one line, or this fails
		t.Fatalf("%v: %s", err, text)
	}
	if string(letter.Data) != poison || letter.Reason != handle.ReasonPermanent || !strings.Contains(letter.Error, "not an event") {
		t.Errorf("dead letter: %+v", letter)
	}
	if strings.Contains(a.read("pod.log"), "sensor-3") {
		t.Error("the log has a record's data")
	}

	// Under systemd, which gives it a state directory.
	a.putLines(5, func(line int) string { return fmt.Sprintf(`{"reading":%d}`, line) })
	state := t.TempDir()
	p = a.startProcess("unit", exec.Command(filepath.Join(image, "orders")), "STATE_DIRECTORY="+state, "HTTP_ADDR=127.0.0.1:0")
	p.handled(5)
	id := p.workerID()
	p.stop()
	claimed, err := filepath.Glob(filepath.Join(state, a.name+".0.owner"))
	if host, _ := os.Hostname(); err != nil || len(claimed) != 1 || !strings.HasPrefix(id, host) {
		t.Errorf("worker ID %q, claimed by %q (%v)", id, claimed, err)
	}
}

// The project with children builds and passes its test too, check finds nothing in it, and
// kcl-bootstrap accepts the arguments of the Dockerfile and the unit. Other tests cover how
// it runs children.
func TestNewProjectOfChildren(t *testing.T) {
	testenv.Nightly(t) // TestREADMECommands makes one, TestClients runs children
	t.Parallel()
	n := newProject(t, "--children")
	a := n.application
	n.typeNext("processor", "kcl-bootstrap -e -p sample.properties")
	prefix := released(t).prefix
	for _, m := range strings.Fields(a.shell("go list -m -f '{{.Path}}' all")) {
		if m != "example.com/team/orders" && !strings.HasPrefix(m, prefix) {
			t.Errorf("it needs %s", m)
		}
	}
	if out, want := a.shell("kcl-bootstrap check -p sample.properties"), "kcl-bootstrap: sample.properties: 0 errors, 0 warnings\n"; out != want {
		t.Errorf("check prints %q, want %q", out, want)
	}
	n.build(strings.NewReplacer("/out/bin", t.TempDir()), "go build")
	var entry []string
	line := regexp.MustCompile(`(?m)^ENTRYPOINT (.*)$`).FindStringSubmatch(n.dockerfile)
	if line == nil || json.Unmarshal([]byte(line[1]), &entry) != nil {
		t.Fatalf("no ENTRYPOINT:\n%s", n.dockerfile)
	}
	unit := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/(.*)$`).FindStringSubmatch(a.read("orders.service"))
	if unit == nil {
		t.Fatal("the unit has no ExecStart")
	}
	here := strings.NewReplacer("/etc/consumer/", "", "/etc/orders/", "", "=orders", "=not-there", "=/usr/local/bin/orders", "=./not-there")
	for _, command := range [][]string{entry, strings.Fields(unit[1])} {
		for i := range command {
			command[i] = here.Replace(command[i])
		}
		cmd := exec.Command(sample.Command(shared.bin, command[0]), command[1:]...)
		cmd.Dir, cmd.Env = a.dir, a.environ
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || bytes.Count(out, []byte("\n")) != 1 || !bytes.Contains(out, []byte("not-there")) {
			t.Errorf("%q: %v: %s", command, err, out)
		}
	}
}

// The deployment files fit the program: probes, names, times, memory, paths. Kubernetes
// ignores no key of the Deployment, and systemd none of a unit.
func TestDeployment(t *testing.T) {
	n := newProject(t)
	main := n.read("main.go")
	seconds := func(expression, text string) time.Duration {
		s, err := strconv.Atoi(one(t, expression, text))
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(s) * time.Second
	}
	bytes := func(text string) int64 {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return q.Value()
	}
	var account corev1.ServiceAccount
	var claim corev1.PersistentVolumeClaim
	n.decode(0, &account)
	n.decode(1, &claim)
	d := n.deployment()
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	unit := n.read("orders.service")

	// Names.
	label := d.Spec.Selector.MatchLabels
	if len(label) == 0 || !maps.Equal(label, d.Spec.Template.Labels) {
		t.Errorf("it selects %v of pods %v", label, d.Spec.Template.Labels)
	}
	if pod.ServiceAccountName == "" || pod.ServiceAccountName != account.Name {
		t.Errorf("account %q, there is %q", pod.ServiceAccountName, account.Name)
	}
	env := map[string]corev1.EnvVar{}
	for _, e := range c.Env {
		env[e.Name] = e
	}
	id := one(t, `WorkerID: os.Getenv\("(\w+)"\)`, main)
	if from := env[id].ValueFrom; from == nil || from.FieldRef == nil || from.FieldRef.FieldPath != "metadata.name" {
		t.Errorf("%s is not the pod's name: %+v", id, env[id])
	}

	// Probes.
	port := one(t, `(?m)^ENV `+one(t, `cmp.Or\(os.Getenv\("(\w+)"\), "127`, main)+`=0\.0\.0\.0:(\d+)$`, n.dockerfile)
	ports := map[string]string{}
	for _, p := range c.Ports {
		ports[p.Name] = strconv.Itoa(int(p.ContainerPort))
	}
	for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || ports[probe.HTTPGet.Port.StrVal] != port {
			t.Errorf("%s at port %s is not probed: %+v", path, port, probe)
		}
	}
	if c.StartupProbe != nil {
		t.Error("a startup probe kills a container whose KCL makes its tables")
	}
	if got := d.Spec.Template.Annotations["prometheus.io/port"]; got != port {
		t.Errorf("Prometheus asks at port %s, not %s", got, port)
	}

	// Times: the engine gives Java 5 s beyond the grace.
	grace := seconds(`ShutdownGrace: (\d+) \* time.Second`, main)
	for who, waits := range map[string]time.Duration{
		"Kubernetes": time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second,
		"systemd":    seconds(`(?m)^TimeoutStopSec=(\d+)$`, unit),
		"Docker":     seconds(`--stop-timeout (\d+)`, n.dockerfile),
	} {
		if waits < grace+10*time.Second {
			t.Errorf("%s waits %v, the program takes %v and what Java needs", who, waits, grace)
		}
	}
	// TestRollingDeploy measures this order and the other one.
	if r := d.Spec.Strategy.RollingUpdate; r == nil || r.MaxUnavailable == nil || r.MaxUnavailable.IntValue() != 1 || r.MaxSurge == nil || r.MaxSurge.IntValue() != 0 {
		t.Errorf("rolling update %+v, want that one worker at a time stops before its successor starts", r)
	}
	if *d.Spec.Replicas < 2 || d.Spec.MinReadySeconds < 40 {
		t.Errorf("%d replicas, each ready for %d s: no worker has the shards of the one that stops", *d.Spec.Replicas, d.Spec.MinReadySeconds)
	}

	// Memory: Java's heap, Go's, and what else Java needs: 183 MiB with 8 shards.
	if c.Resources.Limits.Memory().Cmp(*c.Resources.Requests.Memory()) != 0 {
		t.Error("the pod may use memory that it is not promised")
	}
	for who, m := range map[string]struct{ limit, goLimit int64 }{
		"Kubernetes": {c.Resources.Limits.Memory().Value(), bytes(strings.TrimSuffix(env["GOMEMLIMIT"].Value, "B"))},
		"systemd":    {bytes(one(t, `(?m)^MemoryMax=(\d+G)$`, unit) + "i"), bytes(one(t, `(?m)^Environment=GOMEMLIMIT=(\d+Mi)B$`, unit))},
	} {
		if left := m.limit/2 - m.goLimit; left < 192<<20 || m.limit > 2<<30 {
			t.Errorf("%s: of %d MiB up to half are Java's heap and %d MiB Go's, which leaves %d MiB", who, m.limit>>20, m.goLimit>>20, left>>20)
		}
	}

	// Paths: all folders that are written to are volumes, and no process is root.
	user := one(t, `(?m)^USER (\d+)$`, n.dockerfile)
	if s := pod.SecurityContext; s == nil || !*s.RunAsNonRoot || fmt.Sprint(*s.RunAsUser) != user || *s.FSGroup != *s.RunAsGroup {
		t.Errorf("the image's user is %s: %+v", user, s)
	}
	if s := c.SecurityContext; s == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("%+v", s)
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
	}
	mounts := map[string]corev1.VolumeMount{}
	for _, m := range c.VolumeMounts {
		mounts[m.MountPath] = m
	}
	if volumes[mounts["/tmp"].Name].EmptyDir == nil {
		t.Error("Java's socket is in /tmp, which cannot be written to")
	}
	letters := mounts[one(t, `(?m)^WORKDIR (/var/.*)$`, n.dockerfile)+"/"+one(t, `handle.NewFiles\("(.*)"\)`, main)]
	if v := volumes[letters.Name].PersistentVolumeClaim; v == nil || v.ClaimName != claim.Name || letters.SubPathExpr != "$("+id+")" {
		t.Errorf("the dead letters do not outlive the pod, or two pods write one file: %+v, %+v", letters, v)
	}
	if !slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany) {
		t.Errorf("pods on several nodes have the claim, which is %v", claim.Spec.AccessModes)
	}

	t.Run("units", func(t *testing.T) {
		testenv.Command(t, "systemd-analyze")
		for _, n := range []*project{n, newProject(t, "--children")} {
			// The programs do not have the paths of the unit.
			file := filepath.Join(t.TempDir(), "orders.service")
			text := regexp.MustCompile(`(?m)^ExecStart=\S+`).ReplaceAllString(n.read("orders.service"), "ExecStart=/bin/sh")
			if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput()
			if err != nil || strings.Contains(string(out), "orders.service") {
				t.Errorf("%v: %s", err, out)
			}
		}
	})
}

// one returns what the group of the expression matches, and fails the test unless there is
// one match.
func one(t *testing.T, expression, text string) string {
	t.Helper()
	found := regexp.MustCompile(expression).FindAllStringSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("%q is there %d times:\n%s", expression, len(found), text)
	}
	return found[0][1]
}

// A project is the project orders of kcl-bootstrap new.
type project struct {
	*application
	next       []string // what it says to type
	dockerfile string
}

// newProject makes a project with an environment in which the go command finds the modules
// of this tree.
func newProject(t *testing.T, flags ...string) *project {
	t.Helper()
	require(t)
	a := &application{t: t, name: strings.ReplaceAll(t.Name(), "/", "-"), dir: filepath.Join(t.TempDir(), "with a space", "orders")}
	args := append([]string{"new", a.dir, "--module", "example.com/team/orders", "--stream", a.name, "--application", a.name, "--region", "us-east-1"}, flags...)
	out, err := exec.Command(sample.Command(shared.bin, "kcl-bootstrap"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n := &project{application: a, dockerfile: a.read("Dockerfile")}
	_, next, _ := strings.Cut(string(out), "\nnext:\n")
	for line := range strings.Lines(next) {
		n.next = append(n.next, strings.TrimSpace(line))
	}
	return n
}

// typeNext runs the printed steps but for the last one, which must be last and runs the
// project. The project's README must have all of them. The module must be required at the
// version of this tree.
func (n *project) typeNext(module, last string) {
	n.t.Helper()
	r := released(n.t)
	n.environ = sample.Environ(append(local(n.t).Environ(os.Environ()), append(r.Env, "GOTOOLCHAIN=local")...), shared.bin)
	for _, m := range r.Modules {
		if want := m.Path + " " + m.Version + "\n"; m.Dir == module && !strings.HasSuffix(n.read("go.mod"), want) {
			n.t.Fatalf("go.mod does not end with %q, set its default in bootstrap/internal/scaffold:\n%s", want, n.read("go.mod"))
		}
	}
	readme := n.read("README.md")
	for _, line := range n.next[1:] { // less cd
		if !strings.Contains(readme, "\n    "+line+"\n") {
			n.t.Errorf("the README does not say %q", line)
		}
	}
	i := len(n.next) - 1
	if n.next[i] != last {
		n.t.Fatalf("the last line is %q, want %q", n.next[i], last)
	}
	n.shell(strings.Join(n.next[:i], "\n")) // with its cd
	n.shell("go vet ./...")
	if again := n.shell("cp go.mod before; go mod tidy; cmp go.mod before && rm before"); again != "" {
		n.t.Errorf("go mod tidy changes go.mod: %s", again)
	}
}

// build runs steps of the Dockerfile, with the folders of this machine. The program must be
// static.
func (n *project) build(here *strings.Replacer, steps ...string) {
	n.t.Helper()
	for _, step := range steps {
		line := one(n.t, `(?m)^RUN (.*`+step+`.*)$`, n.dockerfile)
		n.shell("export CGO_ENABLED=0; " + here.Replace(line))
	}
	if libraries, err := exec.Command("ldd", here.Replace("/out/bin/orders")).CombinedOutput(); err == nil {
		n.t.Errorf("the program is not static: %s", libraries)
	}
}

// decode decodes the object of deployment.yaml that has into's kind.
func (n *project) decode(i int, into any) {
	n.t.Helper()
	all := strings.Split(n.read("deployment.yaml"), "\n---\n")
	if len(all) != 3 {
		n.t.Fatalf("%d objects, want 3", len(all))
	}
	// Like the API server, which is case-sensitive.
	text, err := yaml.YAMLToJSONStrict([]byte(all[i]))
	if err != nil {
		n.t.Fatal(err)
	}
	if wrong, err := kubejson.UnmarshalStrict(text, into); err != nil || len(wrong) > 0 {
		n.t.Fatalf("%v, %v", wrong, err)
	}
	kind := reflect.TypeOf(into).Elem().Name()
	if !regexp.MustCompile(`(?m)^kind: ` + kind + `$`).MatchString(all[i]) {
		n.t.Fatalf("no %s: %s", kind, all[i])
	}
}

func (n *project) deployment() *appsv1.Deployment {
	n.t.Helper()
	d := new(appsv1.Deployment)
	n.decode(2, d)
	if d.APIVersion != appsv1.SchemeGroupVersion.String() || len(d.Spec.Template.Spec.Containers) != 1 {
		n.t.Fatalf("%s, %d containers", d.APIVersion, len(d.Spec.Template.Spec.Containers))
	}
	return d
}

// page waits for the worker's page and returns its URL.
func (p *workerProcess) page() string {
	text, _ := os.ReadFile(p.log)
	url := regexp.MustCompile(`"url":"([^"]+)/"`).FindSubmatch(text)
	if url == nil {
		return ""
	}
	return string(url[1])
}

// get requests a path of the worker's page.
func (p *workerProcess) get(path string) (status int, text string) {
	p.a.t.Helper()
	response, err := http.Get(p.page() + path)
	if err != nil {
		p.a.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.a.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (p *workerProcess) workerID() string {
	p.a.t.Helper()
	_, text := p.get("/status.json")
	var s worker.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		p.a.t.Fatalf("%v: %s", err, text)
	}
	return s.WorkerID
}

// handled waits until the log says that n records were handled.
func (p *workerProcess) handled(n int) {
	p.a.t.Helper()
	count := func() int {
		text, _ := os.ReadFile(p.log)
		return bytes.Count(text, []byte(`"msg":"handled"`))
	}
	p.await(fmt.Sprintf("%d records handled", n), func() bool { return count() >= n })
	if got := count(); got != n {
		p.a.t.Errorf("%d records were handled, want %d", got, n)
	}
}

// shell runs a script in the application's folder and returns what it prints.
func (a *application) shell(script string) string {
	a.t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = a.dir, a.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}
