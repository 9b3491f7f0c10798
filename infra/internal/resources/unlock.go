package resources

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// lockDuration is KCL's own. Leases are watched as long, with a lock or without.
const lockDuration = 2 * time.Minute

// Unlock is what workers that are gone hold.
type Unlock struct {
	app    *App
	leader kcl.Item // nil: nobody holds the lock
	leases []freeing
}

// freeing is a lease and the attributes that go.
type freeing struct {
	lease  kcl.Item
	owners []string
}

// watchTime returns how long a worker may be at work without a sign of it: a worker
// that reports late, or a KCL 2, may renew its leases less often than package activity
// waits for where it can run again. It is 0 when nothing has an owner.
func watchTime(first activity.Snapshot) time.Duration {
	watch := first.Watch()
	if watch > 0 {
		watch = max(watch, lockDuration, time.Duration(kcl.Int(first.Leader, kcl.LockDuration))*time.Millisecond)
	}
	return watch
}

// PlanUnlock watches the leader lock for its own lease duration, and the leases. It
// returns an error that wraps ErrRunning as soon as the lock is renewed.
func (a *App) PlanUnlock(ctx context.Context) (*Unlock, error) {
	leases := a.tables().Leases.Name
	table, err := a.describeTable(ctx, leases)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, found{tables: map[string]*ddb.TableDescription{leases: table}})
	if err != nil {
		return nil, err
	}
	first := snapshotOf(rows)
	watch := watchTime(first)
	if leader := rows.LeaderOf(); leader != "" {
		a.Progress("worker %s holds the leader lock: watching for %v whether it renews it", leader, watch)
	} else if watch > 0 {
		a.Progress("nobody holds the leader lock: watching for %v whether leases are renewed", watch)
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	alive, began, told := map[string]bool{}, time.Now(), time.Now()
	for time.Since(began) < watch {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
		if rows, err = a.rows(ctx); err != nil {
			return nil, err
		}
		now := snapshotOf(rows)
		if is := rows.LeaderOf(); is != "" && kcl.Text(rows.Leader, kcl.LockVersion) != kcl.Text(first.Leader, kcl.LockVersion) {
			return nil, fmt.Errorf("%w: worker %s is the leader, it renewed the lock just now; nothing was changed: the leader deals out the leases of workers that are gone itself", ErrRunning, is)
		}
		maps.Copy(alive, activity.Alive(first, now))
		if time.Since(told) >= 10*time.Second {
			told = time.Now()
			working := strings.Join(slices.Sorted(maps.Keys(alive)), ", ")
			if working == "" {
				working = "none"
			}
			a.Progress("watched %.0f of %.0f s; workers at work: %s", time.Since(began).Seconds(), watch.Seconds(), working)
		}
	}
	u := &Unlock{app: a}
	if rows.LeaderOf() != "" {
		u.leader = rows.Leader
	}
	for _, lease := range rows.Leases {
		if owners := gone(lease, alive); len(owners) > 0 {
			u.leases = append(u.leases, freeing{lease, owners})
		}
	}
	return u, nil
}

// gone returns which owners to take off a lease. One that is being handed over has two:
// while the old one is at work it is left to them.
func gone(lease kcl.Item, alive map[string]bool) (attributes []string) {
	from := kcl.Text(lease, kcl.CheckpointOwner)
	if alive[from] {
		return nil
	}
	if from != "" {
		attributes = append(attributes, kcl.CheckpointOwner)
	}
	if to := kcl.Text(lease, kcl.LeaseOwner); to != "" && !alive[to] {
		attributes = append(attributes, kcl.LeaseOwner)
	}
	return attributes
}

// What lists what would be released.
func (u *Unlock) What() (what []string) {
	for _, f := range u.leases {
		what = append(what, f.String())
	}
	if u.leader != nil {
		what = append(what, "the leader lock of worker "+kcl.Text(u.leader, kcl.LockOwner))
	}
	return what
}

func (f freeing) String() string {
	var owners []string
	for _, attribute := range f.owners {
		owners = append(owners, kcl.Text(f.lease, attribute))
	}
	return fmt.Sprintf("lease %s of worker %s", kcl.KeyOf(f.lease), strings.Join(owners, " and "))
}

// Do takes the owners off the leases, as KCL itself evicts a lease, and deletes the
// leader lock, as its owner does when it stops. Each only if it is as it was, and tells
// done of each.
func (u *Unlock) Do(ctx context.Context, done func(what string)) error {
	table := u.app.tables().Leases.Name
	for _, f := range u.leases {
		condition, names, values := unchanged(f.lease)
		update := "REMOVE "
		for i, attribute := range f.owners {
			alias := fmt.Sprintf("#r%d", i)
			names[alias] = attribute
			if i > 0 {
				update += ", "
			}
			update += alias
		}
		values[":one"] = &ddb.AttributeValueMemberN{Value: "1"}
		update += " ADD #a0 :one" // the counter
		_, err := u.app.DynamoDB.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &table, Key: kcl.Item{kcl.LeaseKey: f.lease[kcl.LeaseKey]}, UpdateExpression: &update,
			ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
		switch changed := (*ddb.ConditionalCheckFailedException)(nil); {
		case errors.As(err, &changed):
			u.app.Progress("%s has changed just now: left as it is", f)
		case err != nil:
			return u.app.dynamoDBError("free "+f.String()+" (run again for the rest)", err)
		default:
			done(f.String())
		}
	}
	if u.leader == nil {
		return nil
	}
	t := u.app.tables().TableOf(u.leader)
	_, err := u.app.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.Name, Key: kcl.Item{t.Key: u.leader[t.Key]},
		// Deleted already, it was by this call, and the answer was lost.
		ConditionExpression:      aws.String("attribute_not_exists(#owner) OR #owner = :owner AND #version = :version"),
		ExpressionAttributeNames: map[string]string{"#owner": kcl.LockOwner, "#version": kcl.LockVersion},
		ExpressionAttributeValues: kcl.Item{
			":owner": u.leader[kcl.LockOwner], ":version": u.leader[kcl.LockVersion],
		},
	})
	if changed := (*ddb.ConditionalCheckFailedException)(nil); errors.As(err, &changed) {
		return fmt.Errorf("%w: the leader lock was taken or renewed just now", ErrRunning)
	}
	if err != nil {
		return u.app.dynamoDBError("delete the leader lock", err)
	}
	done("the leader lock of worker " + kcl.Text(u.leader, kcl.LockOwner))
	return nil
}
