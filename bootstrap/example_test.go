package bootstrap_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// All steps, as kcl-bootstrap --execute --stock takes them.
func Example() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := runDaemon(ctx, "sample.properties"); err != nil {
		log.Fatal(err)
	}
}

func runDaemon(ctx context.Context, file string) error {
	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		return err
	}
	warnings, err := properties.Check(nil)
	stockWarnings, stockErr := properties.CheckStock() // for Amazon's own main class
	for _, warning := range append(warnings, stockWarnings...) {
		log.Print(warning)
	}
	if err := errors.Join(err, stockErr); err != nil {
		return err
	}
	java, err := bootstrap.FindOrFetchJava(ctx, "", 17, nil)
	if err != nil {
		return err
	}
	jars, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), nil)
	if err != nil {
		return err
	}
	command := bootstrap.Command{Java: java, Jars: jars.Files, Properties: properties}
	return command.Run(ctx, nil)
}

func ExampleParseLock() {
	lock, err := bootstrap.ParseLock("tools", []byte(`
		# coordinate                            sha256  size
		org.example:library:1.0                 0000000000000000000000000000000000000000000000000000000000000001  1024
		org.example:native:so:linux-x86_64:1.0  0000000000000000000000000000000000000000000000000000000000000002  2048
	`))
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range lock.Artifacts {
		fmt.Println(a.Path(), a.Size)
	}
	// Output:
	// org/example/library/1.0/library-1.0.jar 1024
	// org/example/native/1.0/native-1.0-linux-x86_64.so 2048
}

// A file of a lock is fetched, and what is not the one that the lock names is
// refused.
func ExampleFetch() {
	repository := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a library")
	}))
	defer repository.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	options := &bootstrap.FetchOptions{CacheDir: dir, Repository: repository.URL}

	lock, err := bootstrap.ParseLock("example", fmt.Appendf(nil, "org.example:library:1.0 %x 9", sha256.Sum256([]byte("a library"))))
	if err != nil {
		log.Fatal(err)
	}
	fetched, err := bootstrap.Fetch(context.Background(), lock, options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Base(fetched.Files[0]))

	lock.Artifacts[0].SHA256[0]++
	_, err = bootstrap.Fetch(context.Background(), lock, options)
	fmt.Println("verified:", !errors.Is(err, bootstrap.ErrNotVerified))
	// Output:
	// library-1.0.jar
	// verified: false
}

func ExampleDaemonLock() {
	for _, lock := range []*bootstrap.Lock{bootstrap.DaemonLock(), bootstrap.DaemonFullLock()} {
		fmt.Println(lock.Name, len(lock.Artifacts))
	}
	// Output:
	// MultiLangDaemon 3.1.3 78
	// MultiLangDaemon 3.1.3 133
}

func ExampleDefaultRepository() {
	os.Setenv("KCL_MAVEN_REPO", "https://maven.example.com/central")
	defer os.Unsetenv("KCL_MAVEN_REPO")
	fmt.Println(bootstrap.DefaultRepository())
	// Output: https://maven.example.com/central
}

func ExampleProperties_Check() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "sample.properties")
	text := "applicationName = orders\nstreamName = orders\nregionName = us-east-1\n" +
		"initialPositionInStream = TRIM_HORIZON\nshutdownGraceMillis = 20000\nfailoverTimeMilis = 5000\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		log.Fatal(err)
	}
	_, err = properties.Check(nil)
	var config *bootstrap.ConfigError
	if errors.As(err, &config) {
		for _, finding := range config.Findings {
			fmt.Printf("%d %s: %s; %s\n", finding.Line, finding.Key, finding.Text, finding.Suggestion)
		}
	}
	// Output:
	// 0 executableName: it is missing; set it to the command that processes records
	// 0 AwsCredentialsProvider: it is missing; DefaultCredentialsProvider is the usual one
	// 6 failoverTimeMilis: the daemon knows no such property; did you mean failoverTimeMillis?
}

func ExampleExitError() {
	// As Command.Run returns it.
	var err error = &bootstrap.ExitError{Code: 0, Reason: "Unable to initialize after 20 attempts. Shutting down."}

	var exit *bootstrap.ExitError
	if errors.As(err, &exit) {
		fmt.Println("stopped:", err)
	}
	fmt.Println("given up:", errors.Is(err, bootstrap.ErrUnexpectedExit))
	// Output:
	// stopped: it ended without being asked to (status 0): Unable to initialize after 20 attempts. Shutting down.
	// given up: true
}

// A daemon that comes back when it fails, with the same worker ID.
func ExampleRestartPolicy() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	claim, err := bootstrap.ClaimWorkerID(ctx, "/var/lib/orders", "orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer claim.Close()
	command := bootstrap.Command{Claim: claim /* and as above */}
	err = bootstrap.RestartPolicy{}.Run(ctx, func(ctx context.Context) error {
		return command.Run(ctx, nil)
	})
	if err != nil {
		log.Fatal(err)
	}
}
