import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('trends', '0001_initial'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('projects', '0001_squashed'),
        ('registry', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='projects.project')),
                ('counted_through', models.DateTimeField(null=True)),
                ('negative', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('positive', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
                ('sentiment_set', models.BooleanField(default=False)),
                ('topics_at', models.DateTimeField(null=True)),
                ('topics_digest', models.CharField(blank=True, max_length=64)),
                ('drift', models.JSONField(default=dict)),
                ('drift_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Alarm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('raised', 'raised'), ('acknowledged', 'somebody is on it'), ('snoozed', 'snoozed'), ('closed', 'closed')], default='raised', max_length=12)),
                ('onset', models.DateTimeField()),
                ('hour', models.DateTimeField()),
                ('evidence', models.JSONField()),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('snoozed_until', models.DateTimeField(null=True)),
                ('closed_at', models.DateTimeField(null=True)),
                ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alarms', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='AlarmMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('action', models.CharField(choices=[('raise', 'raised'), ('acknowledge', 'taken on'), ('snooze', 'snoozed'), ('wake', 'woke up again'), ('close', 'closed')], max_length=11)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('alarm', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='trends.alarm')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='AlarmRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stream', models.CharField(choices=[('negative', 'the share of negative answers'), ('label', 'the share of one label'), ('each_label', 'the share of each label'), ('complaints', 'the share of complaints in the feedback'), ('served', 'questions to the model'), ('signals', 'feedback'), ('content', 'what the texts are about')], max_length=10, verbose_name='watch')),
                ('direction', models.CharField(choices=[('up', 'rises'), ('down', 'falls'), ('stops', 'stops coming'), ('changes', 'changes')], max_length=7, verbose_name='tell me when it')),
                ('patience', models.PositiveSmallIntegerField(choices=[(7, 'early: about one false alarm in 7 days'), (30, 'usual: about one false alarm in 30 days'), (90, 'only when it is plain: about one false alarm in 90 days')], default=30, validators=[django.core.validators.MinValueValidator(1)], verbose_name='how soon')),
                ('to_inbox', models.BooleanField(default=True, verbose_name='inbox and e-mail of product managers and administrators')),
                ('to_webhook', models.BooleanField(default=True, verbose_name='webhooks')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('checked_through', models.DateTimeField(null=True)),
                ('state', models.CharField(blank=True, max_length=200)),
                ('removed_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('label', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alarm_rules', to='projects.project')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('stream', 'label'), ('label', None), _connector='XOR'), name='alarm_rule_label_where_needed'), models.UniqueConstraint(condition=models.Q(('removed_at', None)), fields=('project', 'stream', 'label', 'direction'), name='alarm_rule_once', nulls_distinct=False)],
            },
        ),
        migrations.AddField(
            model_name='alarm',
            name='rule',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='alarms', to='trends.alarmrule'),
        ),
        migrations.CreateModel(
            name='Bucket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('measure', models.CharField(choices=[('served', 'answers of the model'), ('signals', 'feedback')], max_length=7)),
                ('source', models.CharField(blank=True, max_length=60)),
                ('polarity', models.SmallIntegerField(default=0)),
                ('n', models.PositiveIntegerField()),
                ('label', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.label')),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('version', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='registry.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'measure', 'hour', 'label', 'version', 'source', 'polarity'), name='bucket_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='Topic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('words', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=80), size=None)),
                ('centre', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ('live', models.BooleanField(default=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'number'), name='topic_number_once')],
            },
        ),
        migrations.CreateModel(
            name='TextTopic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text_hash', models.BinaryField(max_length=32)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('topic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='trends.topic')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('project', 'text_hash'), name='text_topic_once')],
            },
        ),
        migrations.AddIndex(
            model_name='alarm',
            index=models.Index(fields=['project', '-id'], name='alarm_list'),
        ),
        migrations.AddConstraint(
            model_name='alarm',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'closed'), _negated=True), fields=('rule', 'label'), name='alarm_open_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='alarm',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'closed'), ('closed_at', None), _connector='XOR'), name='alarm_closed_when'),
        ),
    ]
