#!/bin/sh
# Switches to a new version of the code while calls are in flight:   ./deploy.sh 2   (any name that was not used before)
# The new service endpoint runs beside the old one until the old one has finished the calls that it started.
# After an error, run it again.
set -eu
cd "$(dirname "$0")"
new=${1:?"which version? ./deploy.sh 2"}

# Prints the containers of these services that are of another version.
to_replace() {
  for container in $(docker compose ps --quiet "$@"); do
    image=$(docker inspect --format '{{.Config.Image}}' "$container")
    [ "${image##*:}" = "$new" ] || echo "$container"
  done
}

# Of a cluster, web_2 and restate_app_2, too: they are the last.
services=$(docker compose config --services | grep -E '^(web|restate_app)')
old=$(to_replace restate_app)
# shellcheck disable=SC2086 # names of services
if [ -z "$(to_replace $services)" ]; then
  echo "There is nothing to replace: no version other than $new is running. (docker compose up --wait starts what is missing.)" >&2
  exit 1
fi

export VERSION="$new"
# After an error that came later, it is replaced.
if [ -n "$old" ]; then
  docker compose build web
  # Migrate before the new code starts. So the old code must also work with the new schema.
  docker compose run --rm --no-deps migrate
  docker compose up --detach --wait --no-deps --no-recreate --scale restate_app=2 restate_app
  docker compose run --rm --no-deps register python -m flask_restate deploy
  # shellcheck disable=SC2086 # container ids
  { docker stop $old; docker rm $old; } >/dev/null
fi
# From now on, "docker compose up" starts this version.
{ grep -v '^VERSION=' .env 2>/dev/null || true; echo "VERSION=$new"; } >.env.new
mv .env.new .env
# One web after the other: of a cluster's, one is always there.
for web in $(echo "$services" | grep ^web); do
  docker compose up --detach --wait --no-deps "$web"
done
docker compose up --detach --wait
