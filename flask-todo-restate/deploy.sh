#!/bin/sh
# Takes a new version of the code into use while calls are in flight:   ./deploy.sh 2   (any name that was not used yet)
# The new service endpoint runs beside the old one until that has finished the calls that it began.
# After an error, repeat it.
set -eu
cd "$(dirname "$0")"
new=${1:?"which version? ./deploy.sh 2"}

old=
for container in $(docker compose ps --quiet restate_app); do
  image=$(docker inspect --format '{{.Config.Image}}' "$container")
  [ "${image##*:}" = "$new" ] || old="$old $container"
done
if [ -z "$old" ]; then
  echo "There is nothing to be replaced: no version but $new runs. (docker compose up --wait starts one.)" >&2
  exit 1
fi

export VERSION="$new"
docker compose build web
# Before the new code. So a migration must suit the old code, too.
docker compose run --rm --no-deps migrate
docker compose up --detach --wait --no-deps --no-recreate --scale restate_app=2 restate_app
docker compose run --rm --no-deps register python -m flask_restate deploy
# shellcheck disable=SC2086 # container ids
docker stop $old >/dev/null
docker rm $old >/dev/null
# From now on "docker compose up" means this version.
{ grep -v '^VERSION=' .env 2>/dev/null || true; echo "VERSION=$new"; } >.env.new
mv .env.new .env
docker compose up --detach --wait
