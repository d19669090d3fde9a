import django.db.models.deletion
import django.utils.timezone
import pgvector.django.halfvec
import uuid
from django.conf import settings
from django.db import migrations, models

from ._triggers import SQL, UNDO


class Migration(migrations.Migration):

    replaces = [
        ('annotation', '0001_initial'),
        ('annotation', '0002_walls'),
        ('annotation', '0003_lease_keeps_what_was_shown'),
        ('annotation', '0004_arrival_rank'),
        ('annotation', '0005_keyset_indexes'),
        ('annotation', '0006_values'),
        ('annotation', '0007_more_reasons'),
        ('annotation', '0008_how_behaviour'),
        ('annotation', '0009_workbench'),
        ('annotation', '0010_past_truths'),
        ('annotation', '0011_gold_says_one_thing'),
        ('annotation', '0012_label_changes'),
        ('annotation', '0013_explorer_indexes'),
        ('annotation', '0014_hand_out'),
        ('annotation', '0015_lease_of_person'),
        ('annotation', '0016_held_out_again'),
        ('annotation', '0017_overlap_of_what_waits'),
        ('annotation', '0018_past_truth_sureness'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('content', '0001_squashed'),
        ('projects', '0001_squashed'),
        ('registry', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='Arrival',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('last_item', models.BigIntegerField(default=0)),
                ('overlap_share', models.FloatField(default=0.0)),
                ('overlap_wanted', models.PositiveSmallIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Audience',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, max_length=120)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('people', models.ManyToManyField(related_name='audiences', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audiences', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('name', ''), _negated=True), fields=('project', 'name'), name='audience_name_once')],
            },
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('rename', 'label renamed'), ('merge', 'labels merged'), ('split', 'label split'), ('archive', 'label archived'), ('set', 'labels set by hand'), ('similar', 'similar items labelled at once'), ('queue', 'sent to the queue'), ('shelve', 'items archived'), ('undo', 'taken back')], max_length=10)),
                ('what', models.JSONField(default=dict)),
                ('n', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('undone_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='content.item')),
                ('mentions', models.ManyToManyField(related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Gold',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='gold', serialize=False, to='content.item')),
                ('value', models.JSONField(null=True)),
                ('explanation', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='golds', to='projects.project')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('label__isnull', True), ('value__isnull', True), _connector='XOR'), name='gold_label_or_value')],
            },
        ),
        migrations.CreateModel(
            name='PastTruth',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.JSONField(null=True)),
                ('how', models.CharField(max_length=12)),
                ('agreement', models.FloatField(null=True)),
                ('certainty', models.FloatField(null=True)),
                ('since', models.DateTimeField()),
                ('until', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleted', models.BooleanField(default=False)),
                ('by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('change', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='past_truths', to='annotation.change')),
                ('item', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='past_truths', to='content.item')),
                ('label', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='Prediction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidence', models.FloatField()),
                ('margin', models.FloatField()),
                ('probabilities', pgvector.django.halfvec.HalfVectorField(null=True)),
                ('value', models.JSONField(null=True)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='predictions', to='content.item')),
                ('label', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('version', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='registry.modelversion')),
            ],
            options={
                'indexes': [models.Index(fields=['label', 'version', 'item'], name='prediction_label'), models.Index(fields=['version', 'confidence', 'item'], name='prediction_confidence'), models.Index(fields=['version', 'margin', 'item'], name='prediction_margin')],
                'constraints': [models.UniqueConstraint(fields=('version', 'item'), include=('label',), name='prediction_once'), models.CheckConstraint(condition=models.Q(models.Q(('label__isnull', False), ('probabilities__isnull', False)), ('value__isnull', False), _connector='OR'), name='prediction_says_something')],
            },
        ),
        migrations.CreateModel(
            name='Resolution',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='resolution', serialize=False, to='content.item')),
                ('split', models.CharField(choices=[('pool', 'Pool'), ('holdout', 'Hold-out')], max_length=8)),
                ('value', models.JSONField(null=True)),
                ('how', models.CharField(choices=[('single', "one person's answer"), ('consensus', 'several people agree'), ('adjudicated', 'decided by a reviewer'), ('imported', 'imported'), ('gold', 'gold item'), ('behaviour', 'what people clicked')], max_length=12)),
                ('agreement', models.FloatField(null=True)),
                ('certainty', models.FloatField(null=True)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('label', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'item'], name='resolution_page'), models.Index(fields=['project', 'changed_at'], name='resolution_changes'), models.Index(condition=models.Q(('split', 'holdout')), fields=['project'], name='resolution_holdout'), models.Index(fields=['label', 'item'], name='resolution_label'), models.Index(condition=models.Q(('agreement__isnull', False)), fields=['project', 'agreement', 'item'], name='resolution_agreement')],
                'constraints': [models.CheckConstraint(condition=models.Q(('label', None), ('value', None), _connector='OR'), name='resolution_label_or_value')],
            },
        ),
        migrations.CreateModel(
            name='Task',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('split', models.CharField(choices=[('pool', 'Pool'), ('holdout', 'Hold-out')], max_length=8)),
                ('reason', models.CharField(choices=[('cold_start', 'a typical example of its kind, to begin with'), ('uncertain', 'the model is unsure about it'), ('random', 'drawn at random, to keep the picture honest'), ('holdout', 'held out, to measure the model'), ('feedback', 'users complained about the answer'), ('flip', 'the new model answers differently'), ('chosen', 'chosen by hand'), ('suspect', 'its label may be wrong'), ('gold', 'gold item')], default='random', max_length=12)),
                ('score', models.FloatField(null=True)),
                ('rank', models.BigIntegerField()),
                ('wanted', models.PositiveSmallIntegerField(default=1)),
                ('taken', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('open', 'open'), ('full', 'handed out'), ('done', 'done'), ('closed', 'closed'), ('gold', 'gold item')], default='open', max_length=6)),
                ('suggestion', models.JSONField(null=True)),
                ('others_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('closed_at', models.DateTimeField(null=True)),
                ('audience', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='tasks', to='annotation.audience')),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='content.item')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='projects.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'id'], name='task_page'), models.Index(condition=models.Q(('audience', None), ('state', 'open')), fields=['project', 'rank'], name='task_queue'), models.Index(condition=models.Q(('audience__isnull', False), ('state', 'open')), fields=['audience', 'rank'], name='task_queue_named'), models.Index(condition=models.Q(('state', 'gold')), fields=['project', 'id'], name='task_gold'), models.Index(condition=models.Q(('reason', 'random'), _negated=True), fields=['project', 'reason', 'item'], name='task_reason'), models.Index(condition=models.Q(('split', 'holdout'), ('state', 'open')), fields=['project', 'rank'], name='task_holdout_open')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['open', 'full'])), fields=('item',), name='task_one_live_per_item'), models.CheckConstraint(condition=models.Q(('taken__lte', models.F('wanted'))), name='task_not_overbooked'), models.CheckConstraint(condition=models.Q(('reason', 'holdout'), ('split', 'pool'), _connector='XOR'), name='task_holdout_only_as_holdout'), models.CheckConstraint(condition=models.Q(('split', 'pool'), ('suggestion', None), _connector='OR'), name='task_holdout_is_labelled_blind')],
            },
        ),
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('again', models.BooleanField(db_default=False, default=False)),
                ('token', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('state', models.CharField(choices=[('active', 'active'), ('answered', 'answered'), ('skipped', 'skipped'), ('expired', 'expired')], default='active', max_length=8)),
                ('claimed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('shown', models.JSONField(null=True)),
                ('hidden', models.JSONField(null=True)),
                ('annotator', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='content.item')),
                ('task', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='leases', to='annotation.task')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'active')), fields=['annotator'], name='lease_active_of'), models.Index(condition=models.Q(('state', 'active')), fields=['expires_at'], name='lease_active_expiry')],
                'constraints': [models.UniqueConstraint(fields=('task', 'annotator'), name='lease_once_per_person'), models.UniqueConstraint(condition=models.Q(('again', False)), fields=('item', 'annotator'), name='lease_item_once_per_person')],
            },
        ),
        migrations.CreateModel(
            name='Annotation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField()),
                ('revision', models.PositiveIntegerField(default=1)),
                ('retracted', models.BooleanField(default=False)),
                ('value', models.JSONField(null=True)),
                ('undecided', models.CharField(blank=True, db_default='', max_length=120)),
                ('note', models.TextField(blank=True)),
                ('flagged', models.BooleanField(default=False)),
                ('outcome', models.CharField(choices=[('accepted', 'suggestion accepted'), ('corrected', 'suggestion corrected'), ('scratch', 'without a suggestion')], max_length=9)),
                ('shown', models.JSONField(null=True)),
                ('hidden', models.JSONField(null=True)),
                ('seconds', models.FloatField(null=True)),
                ('late', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('annotator', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='annotations', to='content.item')),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='annotations', to='projects.project')),
                ('shown_version', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='registry.modelversion')),
                ('task', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='annotations', to='annotation.task')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'id'], name='annotation_page'), models.Index(fields=['annotator', '-id'], name='annotation_latest_of'), models.Index(condition=models.Q(('revision', 1)), fields=['annotator', 'item'], name='annotation_items_of'), models.Index(condition=models.Q(('flagged', True)), fields=['project', 'item'], name='annotation_flagged'), models.Index(condition=models.Q(('undecided', ''), _negated=True), fields=['project', 'item'], name='annotation_undecided')],
                'constraints': [models.UniqueConstraint(fields=('annotator', 'key'), name='annotation_key_once'), models.UniqueConstraint(fields=('item', 'annotator', 'revision'), name='annotation_revision_once')],
            },
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
